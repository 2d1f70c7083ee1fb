package mailing

// Role is what a key may be used for.
type Role string

// A viewer reads; an admin does everything.
const (
	Viewer Role = "viewer"
	Admin  Role = "admin"
)

// Valid reports whether there is such a role.
func (r Role) Valid() bool { return r == Viewer || r == Admin }

// May reports whether a caller of this role may do what needs another one. A
// role that does not exist may nothing, and nobody may what needs one.
func (r Role) May(needed Role) bool {
	return needed.Valid() && (r == Admin || r == needed)
}

// Caller is whoever holds a key.
type Caller struct {
	// Name is what the key is called where keys are kept: for logs.
	Name string
	Role Role
}
