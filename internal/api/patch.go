package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// mergePatchType is the media type of a merge patch. A body of application/json is
// accepted, too.
const mergePatchType = "application/merge-patch+json"

// acceptPatch is the header that names the types of a patch (RFC 5789, 3.1). Answers to
// PATCH have it, and refusals of other methods, such as OPTIONS, where PATCH is accepted.
const (
	acceptPatch = "Accept-Patch"
	patchTypes  = mergePatchType + ", application/json"
)

// Patch is a JSON merge patch (RFC 7396) of a T.
type Patch[T any] struct{ raw json.RawMessage }

// UnmarshalJSON keeps the patch as text, because a key with null and an absent key
// differ.
func (p *Patch[T]) UnmarshalJSON(b []byte) error {
	p.raw = bytes.Clone(b)
	return nil
}

// Schema describes a T in which each field may be left out. Fields that are
// optional in a T may also be null, which clears them.
func (Patch[T]) Schema(r huma.Registry) *huma.Schema {
	name := patchName(typeOf[T]().Name())
	if r.Map()[name] == nil {
		r.Map()[name] = optional(r, r.Schema(typeOf[T](), true, ""))
	}
	return &huma.Schema{Ref: schemaPrefix + name}
}

// patchName returns the name of the schema of a patch, from that of a whole body.
func patchName(body string) string { return strings.TrimSuffix(body, "Body") + "Patch" }

// optional returns a copy of a schema in which no property is required, down to all
// nested objects. The original stays as it is, since other operations use it.
func optional(r huma.Registry, s *huma.Schema) *huma.Schema {
	for s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	o := *s
	o.Required = nil
	if name, ok := s.Extensions[nameKey].(string); ok {
		o.Extensions = maps.Clone(s.Extensions)
		o.Extensions[nameKey] = patchName(name)
	}
	o.Properties = make(map[string]*huma.Schema, len(s.Properties))
	for name, p := range s.Properties {
		o.Properties[name] = optional(r, p)
		if !slices.Contains(s.Required, name) {
			nullable(o.Properties[name])
		}
	}
	o.PrecomputeMessages()
	return &o
}

// nullable lets a value be null. A schema without a type accepts null already. In
// JSON Schema an enum restricts null, too, so null has to be among its values.
func nullable(s *huma.Schema) {
	if s.Type == "" || s.Nullable {
		return
	}
	s.Nullable = true
	if s.Enum != nil {
		s.Enum = append(slices.Clone(s.Enum), nil)
	}
}

// sets reports whether the patch has a key, also one with null.
func (p Patch[T]) sets(key string) bool {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(p.raw, &keys); err != nil {
		return false
	}
	_, ok := keys[key]
	return ok
}

// applied returns current with the patch applied. The result must be valid by the
// same schema as a T in a request that sends it whole.
func (p Patch[T]) applied(r huma.Registry, current T) (T, error) {
	var zero, patched T
	before, err := json.Marshal(current)
	if err != nil {
		return zero, fmt.Errorf("write the resource to patch as JSON: %w", err)
	}
	var value, patch any
	if err := cmp.Or(json.Unmarshal(before, &value), json.Unmarshal(p.raw, &patch)); err != nil {
		return zero, fmt.Errorf("read a merge patch of %d bytes, and what it changes: %w", len(p.raw), err)
	}
	if keys, ok := patch.(map[string]any); ok {
		maps.DeleteFunc(keys, func(key string, _ any) bool { return isIgnored(typeOf[T](), key) })
	}
	value = merged(value, patch)
	var found huma.ValidateResult
	schema, path := r.Schema(typeOf[T](), true, ""), huma.NewPathBuffer([]byte("body"), len("body"))
	huma.Validate(r, schema, path, huma.ModeWriteToServer, value, &found)
	if len(found.Errors) > 0 {
		return zero, invalid("the patched resource is not valid", found.Errors)
	}
	after, err := json.Marshal(value)
	if err != nil {
		return zero, fmt.Errorf("write the patched resource as JSON: %w", err)
	}
	if err := json.Unmarshal(after, &patched); err != nil {
		return zero, fmt.Errorf("read the patched resource: %w", err)
	}
	return patched, nil
}

// merged returns target with a merge patch applied (RFC 7396, section 2). It may change
// target. Its time is linear in the size of both.
func merged(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for key, change := range changes {
		if change == nil {
			delete(object, key)
		} else {
			object[key] = merged(object[key], change)
		}
	}
	return object
}

// isIgnored reports whether the field of a struct with this key is read-only in requests.
func isIgnored(t reflect.Type, key string) bool {
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name == key {
			return field.Type == typeOf[ignored]()
		}
	}
	return false
}

// typeOf returns the type T.
func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// patchBody returns the description of the body of a PATCH. huma completes it.
func patchBody[T any](s *server) *huma.RequestBody {
	return &huma.RequestBody{Content: map[string]*huma.MediaType{
		mergePatchType: {Schema: Patch[T]{}.Schema(s.schemas())},
	}}
}
