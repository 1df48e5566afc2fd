package config

import (
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/yamlfile"
)

// share reads the sharing attribute and holds the rule of each type.
func share(t *yamlfile.Table) Share {
	c := t.Child("share", "type", "mode condition uses reason law")
	if c == nil {
		return Share{}
	}
	s := Share{
		Type:      yamlfile.Word(c, "type", Unconditional, Conditional, NotShared),
		Mode:      yamlfile.Word(c, "mode", ModeService, ModeBatch, ModeFile),
		Condition: c.TextWithin("condition", 2000),
		Uses:      c.Texts("uses", 50, 200),
		Reason:    c.TextWithin("reason", 2000),
		Law:       c.TextWithin("law", 500),
	}
	switch s.Type {
	case Unconditional:
		demand(c, "data shared unconditionally", "mode")
		forbid(c, "data shared unconditionally", "condition", "uses", "reason", "law")
	case Conditional:
		demand(c, "data shared conditionally", "mode", "condition", "uses")
		forbid(c, "data shared conditionally", "reason", "law")
		if c.Has("uses") && len(c.Items("uses")) == 0 {
			c.Add(c.Where("uses"), "data shared conditionally must state its permitted uses; `uses` is empty")
		}
	case NotShared:
		demand(c, "data not shared", "reason", "law")
		forbid(c, "data not shared", "condition", "uses")
	}
	if s.Mode == "" {
		s.Mode = ModeService
	}
	return s
}

func demand(t *yamlfile.Table, what string, names ...string) {
	for _, name := range names {
		if !t.Has(name) {
			t.Add(t.At(), "%s must state `%s`; add it", what, name)
		}
	}
}

func forbid(t *yamlfile.Table, what string, names ...string) {
	for _, name := range names {
		if t.Has(name) {
			t.Add(t.Key(name), "%s has no `%s`; remove it", what, name)
		}
	}
}

// catalogueRules holds what 发改高技〔2017〕1272号 and Decree 809 demand of an entry as a whole.
func catalogueRules(t *yamlfile.Table, res Resource) {
	code, err := ident.ParseResourceCode(res.Code)
	if err == nil && code.Base() && res.Share.Type != Unconditional && res.Share.Type != "" {
		t.Add(t.Where("share"), "%s is base data (population, legal persons, geography or e-certificates) and is shared unconditionally by law; set type: unconditional or correct the code", res.Code)
	}
	if res.Grade == GradeCore && res.Share.Type != NotShared && res.Share.Type != "" {
		t.Add(t.Where("grade"), "core data is never routed; set share type: not_shared, or the right grade")
	}
	if res.Open && res.Share.Type == NotShared {
		t.Add(t.Where("open"), "what is not shared within government cannot be open to the public; set open: false")
	}
	for _, f := range res.Fields {
		if f.Open && f.Share == NotShared {
			t.Add(f.At, "field `%s` is not shared and cannot be open; set open: false", f.Name)
		}
	}
}
