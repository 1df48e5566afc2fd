package config

import (
	"regexp"
	"strings"

	"github.com/kuasheng/kuasheng/certs"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/yamlfile"
)

// maxRules bounds each list of the policy: every query walks the deny rules.
const maxRules = 10000

func policy(t *yamlfile.Table, n *Node) Policy {
	c := t.Child("policy", "pseudonym_key", "deny mask ticket_age")
	if c == nil {
		return Policy{}
	}
	p := Policy{
		PseudonymKey: c.Path("pseudonym_key"),
		TicketAge:    c.Duration("ticket_age", defaultTicketAge, leastTicketAge, mostTicketAge),
	}
	for _, item := range rules(c, "deny") {
		p.Deny = append(p.Deny, deny(item, n))
	}
	for _, item := range rules(c, "mask") {
		p.Mask = append(p.Mask, fieldMask(item, n))
	}
	return p
}

func rules(t *yamlfile.Table, name string) []yamlfile.Item {
	items := t.Items(name)
	if len(items) > maxRules {
		t.Add(items[maxRules].At(), "more than %d rules in `%s`; revoke grants instead", maxRules, name)
		items = items[:maxRules]
	}
	return items
}

// deny reads a rule. A side that is left out matches everything; a rule without any side would shut the province off by
// a slip, so that must be written out.
func deny(item yamlfile.Item, n *Node) Deny {
	t := item.Table("a deny rule", "reason", "requester resource purpose")
	d := Deny{At: item.At(), Requester: Any, Resource: Any, Purpose: Any, Reason: t.TextWithin("reason", 500)}
	if t == nil {
		return d
	}
	if !t.Has("requester") && !t.Has("resource") && !t.Has("purpose") {
		t.Add(t.At(), "a deny rule names a requester, a resource or a purpose; to refuse everything write requester: \"*\"")
	}
	if t.Has("requester") {
		d.Requester = requester(t)
	}
	if t.Has("resource") {
		d.Resource = resourceOrAny(t, n)
	}
	if t.Has("purpose") {
		d.Purpose = purpose(t)
	}
	return d
}

// purposeCode is how the purposes of grants are spelt.
var purposeCode = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// purpose reads the purpose of a rule. A word that no request can state is a mistake: the rule would protect nothing.
func purpose(t *yamlfile.Table) string {
	s := t.TextWithin("purpose", 63)
	if s == "" || s == Any || purposeCode.MatchString(s) {
		return s
	}
	if _, known := grantv1.LegalBasis_value["LEGAL_BASIS_"+strings.ToUpper(s)]; known && s == strings.ToLower(s) {
		return s
	}
	if _, err := ident.ParseServiceItem(s); err != nil {
		t.Add(t.Where("purpose"), "`purpose` must be a purpose code such as housing-loan-review, a legal basis such as statutory_duty, a service item code, or \"*\"")
	}
	return s
}

func requester(t *yamlfile.Table) string {
	s := t.Text("requester")
	if s == "" || s == Any {
		return s
	}
	if code, ok := strings.CutPrefix(s, "province:"); ok {
		if _, ok := ident.LookupRegion(code); !ok {
			t.Add(t.Where("requester"), "`requester` names no province; write it as in province:330000")
		}
		return s
	}
	if _, err := certs.ParseID(s); err != nil {
		t.Add(t.Where("requester"), "`requester` must be a SPIFFE ID such as spiffe://zhejiang.example/app/portal, province:330000, or \"*\"")
	}
	return s
}

// resourceOrAny reads the resource of a rule. One that this node does not publish is a mistake: the rule would protect
// nothing.
func resourceOrAny(t *yamlfile.Table, n *Node) string {
	if t.TextWithin("resource", 64) == Any {
		return Any
	}
	code := resourceCode(t, "resource")
	if _, ok := n.Resource(code); code != "" && !ok {
		t.Add(t.Where("resource"), "resource %s is not in this file, so the rule protects nothing; correct or remove it", code)
	}
	return code
}

func fieldMask(item yamlfile.Item, n *Node) FieldMask {
	t := item.Table("a mask rule", "resource field with", "")
	m := FieldMask{At: item.At(), Resource: resourceCode(t, "resource"), Field: t.TextWithin("field", 64), With: mask(t, "with")}
	res, ok := n.Resource(m.Resource)
	if t == nil || m.Resource == "" {
		return m
	}
	if !ok {
		t.Add(t.Where("resource"), "resource %s is not in this file, so the mask hides nothing; correct or remove it", m.Resource)
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
		t.Add(t.Where("field"), "resource %s has no field `%s`%s", m.Resource, m.Field, yamlfile.DidYouMean(m.Field, names))
	case m.With != ident.MaskRedact && f.Type != TypeString && f.Type != TypeMemo && f.Type != TypeGeneral && f.Type != "":
		t.Add(t.Where("with"), "mask `%v` is for text; field `%s` of type %s can only be masked with redact", m.With, f.Name, f.Type)
	}
	return m
}
