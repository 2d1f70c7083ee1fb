package mailing

// Role is the set of rights that a key gives.
type Role string

// The roles. A viewer may read; an admin may do everything.
const (
	Viewer Role = "viewer"
	Admin  Role = "admin"
)

// Valid reports whether the role exists.
func (r Role) Valid() bool { return r == Viewer || r == Admin }

// May reports whether a caller with this role may make a request that requires
// the role needed. Unknown roles grant nothing, and no caller may make a
// request that requires an unknown role.
func (r Role) May(needed Role) bool {
	return needed.Valid() && (r == Admin || r == needed)
}

// Caller is the holder of a key.
type Caller struct {
	// Name is the key's name in the parameter that lists the keys. Log lines contain it,
	// and each name has its own idempotency keys.
	Name string
	Role Role
}
