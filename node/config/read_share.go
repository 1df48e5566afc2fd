package config

import "github.com/kuasheng/kuasheng/internal/ident"

// share reads the sharing attribute and holds the rule of each type.
func (t *table) share() Share {
	c := t.child("share", "type", "mode condition uses reason law")
	if c == nil {
		return Share{}
	}
	s := Share{
		Type:      word(c, "type", Unconditional, Conditional, NotShared),
		Mode:      word(c, "mode", ModeService, ModeBatch, ModeFile),
		Condition: c.text("condition", 2000),
		Uses:      c.texts("uses", 50, 200),
		Reason:    c.text("reason", 2000),
		Law:       c.text("law", 500),
	}
	switch s.Type {
	case Unconditional:
		c.demand("data shared unconditionally", "mode")
		c.forbid("data shared unconditionally", "condition", "uses", "reason", "law")
	case Conditional:
		c.demand("data shared conditionally", "mode", "condition", "uses")
		c.forbid("data shared conditionally", "reason", "law")
		if c.has("uses") && len(c.items("uses")) == 0 {
			c.r.add(c.where("uses"), "data shared conditionally must state its permitted uses; `uses` is empty")
		}
	case NotShared:
		c.demand("data not shared", "reason", "law")
		c.forbid("data not shared", "condition", "uses")
	}
	if s.Mode == "" {
		s.Mode = ModeService
	}
	return s
}

func (t *table) demand(what string, names ...string) {
	for _, name := range names {
		if !t.has(name) {
			t.r.add(t.at, "%s must state `%s`; add it", what, name)
		}
	}
}

func (t *table) forbid(what string, names ...string) {
	for _, name := range names {
		if t.has(name) {
			t.r.add(t.entries[name].key, "%s has no `%s`; remove it", what, name)
		}
	}
}

// catalogueRules holds what 发改高技〔2017〕1272号 and Decree 809 demand of an entry as a whole.
func (t *table) catalogueRules(res Resource) {
	code, err := ident.ParseResourceCode(res.Code)
	if err == nil && code.Base() && res.Share.Type != Unconditional && res.Share.Type != "" {
		t.r.add(t.where("share"), "%s is base data (population, legal persons, geography or e-certificates) and is shared unconditionally by law; set type: unconditional or correct the code", res.Code)
	}
	if res.Grade == GradeCore && res.Share.Type != NotShared && res.Share.Type != "" {
		t.r.add(t.where("grade"), "core data is never routed; set share type: not_shared, or the right grade")
	}
	if res.Open && res.Share.Type == NotShared {
		t.r.add(t.where("open"), "what is not shared within government cannot be open to the public; set open: false")
	}
	for _, f := range res.Fields {
		if f.Open && f.Share == NotShared {
			t.r.add(f.At, "field `%s` is not shared and cannot be open; set open: false", f.Name)
		}
	}
}
