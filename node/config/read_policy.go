package config

import (
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kuasheng/kuasheng/certs"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
)

// maxRules bounds each list of the policy: every query walks the deny rules.
const maxRules = 10000

func (t *table) policy(n *Node) Policy {
	c := t.child("policy", "pseudonym_key", "deny mask ticket_age")
	if c == nil {
		return Policy{}
	}
	p := Policy{
		PseudonymKey: c.path("pseudonym_key"),
		TicketAge:    c.duration("ticket_age", defaultTicketAge, leastTicketAge, mostTicketAge),
	}
	for _, item := range c.rules("deny") {
		p.Deny = append(p.Deny, c.r.deny(item, n))
	}
	for _, item := range c.rules("mask") {
		p.Mask = append(p.Mask, c.r.fieldMask(item, n))
	}
	return p
}

func (t *table) rules(name string) []ast.Node {
	items := t.items(name)
	if len(items) > maxRules {
		t.r.add(position(items[maxRules]), "more than %d rules in `%s`; revoke grants instead", maxRules, name)
		items = items[:maxRules]
	}
	return items
}

// deny reads a rule. A side that is left out matches everything; a rule without any side would shut the province off by
// a slip, so that must be written out.
func (r *reader) deny(item ast.Node, n *Node) Deny {
	t := r.table(item, "a deny rule", "reason", "requester resource purpose")
	d := Deny{At: position(item), Requester: Any, Resource: Any, Purpose: Any, Reason: t.text("reason", 500)}
	if t == nil {
		return d
	}
	if !t.has("requester") && !t.has("resource") && !t.has("purpose") {
		r.add(t.at, "a deny rule names a requester, a resource or a purpose; to refuse everything write requester: \"*\"")
	}
	if t.has("requester") {
		d.Requester = t.requester()
	}
	if t.has("resource") {
		d.Resource = t.resourceOrAny(n)
	}
	if t.has("purpose") {
		d.Purpose = t.purpose()
	}
	return d
}

// purposeCode is how the purposes of grants are spelt.
var purposeCode = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// purpose reads the purpose of a rule. A word that no request can state is a mistake: the rule would protect nothing.
func (t *table) purpose() string {
	s := t.text("purpose", 63)
	if s == "" || s == Any || purposeCode.MatchString(s) {
		return s
	}
	if _, known := grantv1.LegalBasis_value["LEGAL_BASIS_"+strings.ToUpper(s)]; known && s == strings.ToLower(s) {
		return s
	}
	if _, err := ident.ParseServiceItem(s); err != nil {
		t.r.add(t.where("purpose"), "`purpose` must be a purpose code such as housing-loan-review, a legal basis such as statutory_duty, a service item code, or \"*\"")
	}
	return s
}

func (t *table) requester() string {
	s := t.text("requester", maxText)
	if s == "" || s == Any {
		return s
	}
	if code, ok := strings.CutPrefix(s, "province:"); ok {
		if _, ok := ident.LookupRegion(code); !ok {
			t.r.add(t.where("requester"), "`requester` names no province; write it as in province:330000")
		}
		return s
	}
	if _, err := certs.ParseID(s); err != nil {
		t.r.add(t.where("requester"), "`requester` must be a SPIFFE ID such as spiffe://zhejiang.example/app/portal, province:330000, or \"*\"")
	}
	return s
}

// resourceOrAny reads the resource of a rule. One that this node does not publish is a mistake: the rule would protect
// nothing.
func (t *table) resourceOrAny(n *Node) string {
	if t.text("resource", 64) == Any {
		return Any
	}
	code := t.resourceCode("resource")
	if _, ok := n.Resource(code); code != "" && !ok {
		t.r.add(t.where("resource"), "resource %s is not in this file, so the rule protects nothing; correct or remove it", code)
	}
	return code
}

func (r *reader) fieldMask(item ast.Node, n *Node) FieldMask {
	t := r.table(item, "a mask rule", "resource field with", "")
	m := FieldMask{At: position(item), Resource: t.resourceCode("resource"), Field: t.text("field", 64), With: t.mask("with")}
	res, ok := n.Resource(m.Resource)
	if t == nil || m.Resource == "" {
		return m
	}
	if !ok {
		r.add(t.where("resource"), "resource %s is not in this file, so the mask hides nothing; correct or remove it", m.Resource)
		return m
	}
	f, ok := res.Field(m.Field)
	switch {
	case m.Field == "":
	case !ok:
		names := make([]string, len(res.Fields))
		for i, f := range res.Fields {
			names[i] = f.Name
		}
		r.add(t.where("field"), "resource %s has no field `%s`%s", m.Resource, m.Field, didYouMean(m.Field, names))
	case m.With != ident.MaskRedact && f.Type != TypeString && f.Type != TypeMemo && f.Type != TypeGeneral && f.Type != "":
		r.add(t.where("with"), "mask `%v` is for text; field `%s` of type %s can only be masked with redact", m.With, f.Name, f.Type)
	}
	return m
}
