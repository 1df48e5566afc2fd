package demo

import (
	"github.com/kuasheng/kuasheng/cmd/kuasheng/demo/dataset"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
)

// permission is a grant that the scenario needs.
type permission struct {
	key       string // in demo.json
	provider  string // key of the province
	topic     dataset.Topic
	requester string // party
	fields    []string
	purpose   string
	item      string // service item: a base code covers every office's implementation of it
	perSecond int64
	perDay    int64
	lapses    bool // it expires at once
}

// The service items of the scenario's cases, by their base codes in the national list (synthetic).
const (
	itemLoan       = "000717005001" // 住房公积金异地贷款
	itemSettlement = "000717006001" // 引进人才落户
	itemRegister   = "001017007001" // 市场主体信息更新
)

// quotaPerDay is what the grant with a quota allows: enough to see it permitted, little enough to see it refused.
const quotaPerDay = 2

// permissions are the grants of the scenario, by the names that demo.json has for them.
func permissions() []permission {
	return []permission{
		{
			key: "housing", provider: henanKey, topic: dataset.Housing, requester: housingPortal, purpose: "housing-loan-review", item: itemLoan,
			fields: []string{"account_no", "name", "unit_name", "balance", "months", "last_month", "has_loan"}, perSecond: 200,
		},
		{
			key: "household", provider: henanKey, topic: dataset.Household, requester: talentPortal, purpose: "talent-settlement", item: itemSettlement,
			fields: []string{"name", "nation", "household_type", "address", "phone", "registered_on"},
		},
		{
			key: "registration", provider: zhejiangKey, topic: dataset.Registration, requester: registerSync, purpose: "register-update", item: itemRegister,
			fields: []string{"name", "legal_name", "capital", "founded_on", "status"},
		},
		{
			key: "change", provider: guangdongKey, topic: dataset.Change, requester: registerSync, purpose: "register-update", item: itemRegister,
			fields: []string{"entry_no", "uscc", "item", "content_after", "changed_on"},
		},
		{
			key: "expired", provider: henanKey, topic: dataset.Insurance, requester: housingPortal, purpose: "housing-loan-review", item: itemLoan,
			fields: []string{"unit_name", "month", "base"}, lapses: true,
		},
		{
			key: "quota", provider: henanKey, topic: dataset.Qualification, requester: talentPortal, purpose: "talent-settlement", item: itemSettlement,
			fields: []string{"name"}, perDay: quotaPerDay,
		},
		{
			key: "vetoed", provider: henanKey, topic: dataset.Housing, requester: bulkMailer, purpose: "housing-loan-review", item: itemLoan,
			fields: []string{"account_no", "balance"},
		},
	}
}

func permissionOf(key string) permission {
	for _, p := range permissions() {
		if p.key == key {
			return p
		}
	}
	return permission{}
}

// asked is the purpose of a case under the permission.
func (p permission) asked(caseNumber, cause string) *grantv1.Purpose {
	return &grantv1.Purpose{
		Code: p.purpose, LegalBasis: grantv1.LegalBasis_LEGAL_BASIS_STATUTORY_DUTY, ServiceItem: p.item, CaseNumber: caseNumber, Cause: cause,
	}
}
