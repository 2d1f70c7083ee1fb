package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const (
	// formType is the media type of a form. Browsers and generated programs send a file
	// as a part of one.
	formType = "multipart/form-data"
	// filePart is the name of the part with the file.
	filePart = "file"
)

// Details of problems of a form.
const (
	unreadableForm = "the body is not a form (multipart/form-data) with its boundary"
	noFilePart     = "must be a part of the form, with the file"
	secondFile     = "must be given once"
)

// importForm describes the form that holds a file to import.
func importForm(example string) *huma.MediaType {
	form := &huma.Schema{
		Type: huma.TypeObject, Required: []string{filePart}, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{filePart: {Type: huma.TypeString, Format: "binary", Description: "The file."}},
		Extensions: map[string]any{nameKey: "ClientFile"},
	}
	return &huma.MediaType{Schema: form, Example: map[string]string{filePart: example}}
}

// importedFile returns the file in the body of an import. contentType is that of the
// request. A body of any type but a form is the file itself.
func importedFile(contentType string, body []byte) ([]byte, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != formType {
		return body, nil //nolint:nilerr // a body without a type is a file, and others are refused before
	}
	if params["boundary"] == "" {
		return nil, problemOf(http.StatusBadRequest, unreadableForm)
	}
	var file []byte
	for form := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF) && file == nil:
			return nil, invalidForm(filePart, noFilePart)
		case errors.Is(err, io.EOF):
			return file, nil
		case err != nil:
			return nil, problemOf(http.StatusBadRequest, unreadableForm)
		case part.FormName() != filePart:
			return nil, invalidForm(part.FormName(), unknownKey)
		case file != nil:
			return nil, invalidForm(filePart, secondFile)
		}
		if file, err = io.ReadAll(part); err != nil {
			return nil, problemOf(http.StatusBadRequest, unreadableForm)
		}
	}
}

// invalidForm returns the problem with a part of a form.
func invalidForm(part, message string) *Problem {
	p := problemOf(http.StatusUnprocessableEntity, invalidRequest)
	p.Errors = []FieldError{{ownKey("body." + part), message}}
	return p
}
