package catalogue

import (
	"fmt"

	"github.com/kuasheng/kuasheng/exchange/rule"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
)

const (
	unconditional = cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL
	conditional   = cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL
	notShared     = cataloguev1.ShareType_SHARE_TYPE_NOT_SHARED
)

// checkSharing holds the sharing rules of 发改高技〔2017〕1272号 and the State Council's measures behind it. base says that the class is
// population, legal-person, geographic or e-certificate base data, which the law wants shared unconditionally, whole.
func checkSharing(mistakes *rule.Mistakes, r *cataloguev1.Resource, base bool) {
	sharing := r.GetSharing()
	switch sharing.GetType() {
	case unconditional:
		if sharing.GetCondition() != "" {
			mistakes.Violation("resource.sharing.condition", "unconditional sharing has no condition")
		}
	case conditional:
		if sharing.GetCondition() == "" {
			mistakes.Violation("resource.sharing.condition", "conditional sharing states its scope")
		}
		if len(sharing.GetUses()) == 0 {
			mistakes.Violation("resource.sharing.uses", "conditional sharing states the permitted uses")
		}
	case notShared:
		if sharing.GetReason() == "" {
			mistakes.Violation("resource.sharing.reason", "a resource that is not shared states the reason")
		}
		if sharing.GetLaw() == "" {
			mistakes.Violation("resource.sharing.law", "a resource that is not shared states the law that forbids it")
		}
	}
	mistakes.Text("resource.sharing.condition", sharing.GetCondition())
	mistakes.Text("resource.sharing.reason", sharing.GetReason())
	mistakes.Text("resource.sharing.law", sharing.GetLaw())
	for i, use := range sharing.GetUses() {
		mistakes.Text(fmt.Sprintf("resource.sharing.uses[%d]", i), use)
	}
	if !base {
		return
	}
	if sharing.GetType() != unconditional {
		mistakes.Violation("resource.sharing.type", "population, legal-person, geographic and e-certificate base data is shared unconditionally")
	}
	for i, f := range r.GetFields() {
		if t := f.GetShareType(); t == conditional || t == notShared {
			mistakes.Violation(fmt.Sprintf("resource.fields[%d].share_type", i), "base data is shared unconditionally")
		}
	}
}

// ShareType is how a field is shared: as it says itself, or else as its resource is. A field of a resource that is not shared is never
// shared.
func ShareType(r *cataloguev1.Resource, f *cataloguev1.Field) cataloguev1.ShareType {
	if r.GetSharing().GetType() == notShared || f.GetShareType() == cataloguev1.ShareType_SHARE_TYPE_UNSPECIFIED {
		return r.GetSharing().GetType()
	}
	return f.GetShareType()
}

// Routable reports whether data of this grade may pass the exchange. Core data never does (数据安全法 article 21). Important data needs a
// second approval, which this exchange cannot take yet, so it does not pass either.
func Routable(grade cataloguev1.Grade) bool {
	return grade >= cataloguev1.Grade_GRADE_GENERAL_1 && grade <= cataloguev1.Grade_GRADE_GENERAL_4
}

// Published reports whether an entry is in use.
func Published(r *cataloguev1.Resource) bool {
	return r.GetState() == cataloguev1.ResourceState_RESOURCE_STATE_PUBLISHED
}
