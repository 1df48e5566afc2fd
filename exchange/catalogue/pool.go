package catalogue

import (
	"github.com/kuasheng/kuasheng/exchange/state"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
)

// pool shares what recurs over a catalogue. Field names, their titles and departments are half of what 32,000 entries weigh.
type pool struct {
	texts       *state.Pool[string, string]
	titles      *state.Pool[[2]string, *cataloguev1.LocalizedText]
	departments *state.Pool[[2]string, *cataloguev1.Department]
}

func newPool() *pool {
	return &pool{
		texts:       state.NewPool[string, string](),
		titles:      state.NewPool[[2]string, *cataloguev1.LocalizedText](),
		departments: state.NewPool[[2]string, *cataloguev1.Department](),
	}
}

// share replaces parts of a new entry, which nobody else has seen yet, by equal ones of earlier entries.
func (p *pool) share(r *cataloguev1.Resource) {
	if d := r.GetProvider(); d != nil {
		r.Provider = p.departments.Share([2]string{d.GetDisplayName(), d.GetUscc()}, d)
	}
	r.SourceDepartment = p.text(r.GetSourceDepartment())
	r.ConditionsOfUse = p.text(r.GetConditionsOfUse())
	r.Classification = p.text(r.GetClassification())
	for _, f := range r.GetFields() {
		f.Name, f.Title = p.text(f.GetName()), p.title(f.GetTitle())
		f.Unit, f.Mask, f.Description = p.text(f.GetUnit()), p.text(f.GetMask()), p.text(f.GetDescription())
	}
	for _, q := range r.GetParameters() {
		q.Name, q.Title, q.Format = p.text(q.GetName()), p.title(q.GetTitle()), p.text(q.GetFormat())
	}
	if sharing := r.GetSharing(); sharing != nil {
		sharing.Condition = p.text(sharing.GetCondition())
		for i, use := range sharing.GetUses() {
			sharing.Uses[i] = p.text(use)
		}
	}
}

func (p *pool) text(s string) string {
	if s == "" {
		return ""
	}
	return p.texts.Share(s, s)
}

func (p *pool) title(t *cataloguev1.LocalizedText) *cataloguev1.LocalizedText {
	if t == nil {
		return nil
	}
	return p.titles.Share([2]string{t.GetZh(), t.GetEn()}, t)
}
