package decision

import "github.com/kuasheng/kuasheng/internal/ident"

// Withheld stands in errors and records for a name that may not.
const Withheld = "(withheld)"

// maxName is how long the names of fields and parameters may be in the catalogue.
const maxName = 64

// Recordable is the name of a field or parameter, as a caller wrote it, for errors and records. What does not have the shape of a name in the
// catalogue is withheld: a caller who puts a value where the name belongs must not get it into the log.
func Recordable(name string) string {
	if name == "" || len(name) > maxName || name[0] < 'a' || name[0] > 'z' {
		return Withheld
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return Withheld
		}
	}
	if ident.ContainsCitizenID(name) {
		return Withheld
	}
	return name
}
