package config

import (
	"regexp"

	"github.com/kuasheng/kuasheng/internal/yamlfile"
)

// pattern is a rule that a text follows, with its description for whoever broke it.
type pattern struct {
	*regexp.Regexp
	description string
}

// matched reads a text that follows a pattern.
func matched(t *yamlfile.Table, name string, p pattern) string {
	s := t.Text(name)
	if s != "" && !p.MatchString(s) {
		t.Add(t.Where(name), "`%s` must be %s", name, p.description)
		return ""
	}
	return s
}
