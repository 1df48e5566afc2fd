// Package decision is step 2 of the life of a query: may this caller ask these fields of this resource for this purpose, now?
//
// It reads in-memory views only and takes a few microseconds. Its answer is final for the exchange; the province may still refuse.
package decision

import (
	"slices"
	"time"

	"github.com/kuasheng/kuasheng/exchange/catalogue"
	"github.com/kuasheng/kuasheng/exchange/member"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

type members interface {
	Get(region string) (*registryv1.Member, bool)
}

type resources interface {
	Get(name string) (*cataloguev1.Resource, bool)
}

type grants interface {
	ByRequesterResource(requester, resource string) []*grantv1.Grant
}

// Decider decides. It is safe for concurrent use.
type Decider struct {
	members   members
	resources resources
	grants    grants
	quotas    *Quotas
}

// New returns a decider over the views given.
func New(m members, r resources, g grants, q *Quotas) *Decider {
	return &Decider{members: m, resources: r, grants: g, quotas: q}
}

// Request is what is decided on.
type Request struct {
	Requester  string // SPIFFE ID
	Resource   string
	Fields     []string
	Parameters map[string]string
	Purpose    *grantv1.Purpose
	Mode       auditv1.Mode
}

// Permit is what a permission rests on.
type Permit struct {
	Region   string
	Resource *cataloguev1.Resource
	Grant    *grantv1.Grant
}

// Decide permits a request, or refuses it with the reason that is nearest to being cured. With a refusal the permit holds as much as was
// found, for the record. A permission uses up one unit of the grant's quotas.
func (d *Decider) Decide(now time.Time, r Request) (Permit, error) {
	p, err := d.Reconsider(now, r)
	if err != nil {
		return p, err
	}
	return p, d.quotas.use(now, p.Grant)
}

// Reconsider decides on a request that was permitted and has waited since. It uses up no quota: that was done the first time.
func (d *Decider) Reconsider(now time.Time, r Request) (Permit, error) {
	p := Permit{Region: catalogue.Region(r.Resource)}
	entry, ok := d.resources.Get(r.Resource)
	if !ok {
		return p, refusal.About(auditv1.Reason_REASON_NOT_FOUND, "resource", "no such resource is published; `kuasheng catalogue list` shows what is")
	}
	p.Resource = entry
	if err := d.checkResource(p, r); err != nil {
		return p, err
	}
	grant, lack := d.findGrant(now, r)
	p.Grant = grant
	// What the caller got wrong is told only to those who may ask at all.
	if lack == nil || lack.Reason == auditv1.Reason_REASON_FIELD_NOT_GRANTED {
		if err := checkFields(entry, r.Fields); err != nil {
			return p, err
		}
	}
	if lack != nil {
		return p, lack
	}
	return p, checkParameters(entry, r.Parameters)
}

// Return gives back the unit of quota of a permission that was not used after all.
func (d *Decider) Return(p Permit) { d.quotas.giveBack(p.Grant) }

// checkResource refuses what nobody may ask for.
func (d *Decider) checkResource(p Permit, r Request) error {
	provider, ok := d.members.Get(p.Region)
	switch {
	case !ok || !member.Active(provider):
		return refusal.New(auditv1.Reason_REASON_MEMBER_SUSPENDED, "the providing province's membership is suspended")
	case !catalogue.Published(p.Resource):
		return refusal.New(auditv1.Reason_REASON_RESOURCE_WITHDRAWN, "the province has withdrawn this resource")
	case !catalogue.Routable(p.Resource.GetGrade()):
		// Before its share type: core data is never shared either, and its grade is what nobody can change.
		return refusal.New(auditv1.Reason_REASON_GRADE_NOT_ROUTABLE, "data of this grade never passes the exchange")
	case p.Resource.GetSharing().GetType() == cataloguev1.ShareType_SHARE_TYPE_NOT_SHARED:
		return refusal.New(auditv1.Reason_REASON_RESOURCE_NOT_SHARED, "the resource is not shared: %s", p.Resource.GetSharing().GetReason())
	}
	mode := p.Resource.GetSharing().GetMode()
	if mode == cataloguev1.ShareMode_SHARE_MODE_FILE || mode == cataloguev1.ShareMode_SHARE_MODE_BATCH && r.Mode != auditv1.Mode_MODE_EXPORT {
		return refusal.New(auditv1.Reason_REASON_MODE_NOT_OFFERED, "the province does not share this resource in this way; see its entry's share mode")
	}
	return nil
}

// findGrant returns the grant that covers the request, or the one that comes nearest with what it lacks.
func (d *Decider) findGrant(now time.Time, r Request) (*grantv1.Grant, *refusal.Error) {
	var nearest *grantv1.Grant
	var lack *refusal.Error
	passed := -1
	for _, g := range d.grants.ByRequesterResource(r.Requester, r.Resource) {
		n, missing := covers(now, g, r)
		if missing == nil {
			return g, nil
		}
		if n > passed {
			nearest, lack, passed = g, missing, n
		}
	}
	if nearest == nil {
		return nil, refusal.New(auditv1.Reason_REASON_NO_GRANT, "you hold no grant for this resource; apply to the province's bureau")
	}
	return nearest, lack
}

// checkFields refuses names that the entry does not have: also of a field that was granted and has left the entry since.
func checkFields(entry *cataloguev1.Resource, fields []string) error {
	for _, name := range fields {
		if !slices.ContainsFunc(entry.GetFields(), func(f *cataloguev1.Field) bool { return f.GetName() == name }) {
			return refusal.About(auditv1.Reason_REASON_FIELD_UNKNOWN, Recordable(name), "the resource has no field of that name; its entry lists them")
		}
	}
	return nil
}

// checkParameters refuses names that the entry does not declare and names that are missing. Types and formats are the province's to check:
// the exchange does not look at values.
func checkParameters(entry *cataloguev1.Resource, parameters map[string]string) error {
	declared := 0
	for _, p := range entry.GetParameters() {
		if _, given := parameters[p.GetName()]; given {
			declared++
		} else if p.GetRequired() {
			return refusal.About(auditv1.Reason_REASON_PARAMETER_MISSING, p.GetName(), "the resource requires the parameter %q (%s)", p.GetName(), p.GetTitle().GetZh())
		}
	}
	if declared == len(parameters) {
		return nil
	}
	names := make([]string, 0, len(entry.GetParameters()))
	for _, p := range entry.GetParameters() {
		names = append(names, p.GetName())
	}
	for name := range parameters {
		if !slices.Contains(names, name) {
			return refusal.About(auditv1.Reason_REASON_PARAMETER_UNKNOWN, Recordable(name), "the resource has no parameter of that name; it has %v", names)
		}
	}
	return nil
}
