package config

import (
	_ "embed" // template.yaml
	"strconv"
	"strings"
)

//go:embed template.yaml
var templateText string

// Beginning is what `exchange init` knows when it writes a first file.
type Beginning struct {
	Domain string
	Dir    string // prefix of the paths in the file; empty for paths relative to the file
}

// Template is a commented file for a new exchange. It parses as it stands.
func Template(b Beginning) string {
	path := func(p string) string {
		if b.Dir == "" {
			return p
		}
		return strconv.Quote(strings.TrimSuffix(b.Dir, "/") + "/" + p)
	}
	return strings.NewReplacer(
		"@DOMAIN@", b.Domain,
		"@DATA@", path(DataDir), "@SVID@", path("certs/server/svid.pem"), "@KEY@", path("certs/server/svid.key"),
		"@BUNDLE@", path("certs/bundle.pem"), "@LOG_KEY@", path(LogKeyFile),
	).Replace(templateText)
}

// Where `exchange init` puts things, relative to its directory.
const (
	DataDir    = "data"
	LogKeyFile = "secrets/accesslog.key"
)
