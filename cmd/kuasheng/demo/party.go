package demo

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// The trust domains, by the names that folders and demo.json use.
const (
	exchangeKey  = "exchange"
	henanKey     = "henan"
	zhejiangKey  = "zhejiang"
	guangdongKey = "guangdong"
)

// The parties that act, as "{trust domain}/{role}/{name}" without the domain's suffix.
const (
	admin = "exchange/admin/lin"

	housingPortal = "zhejiang/app/housing-portal" // 浙江公积金服务平台: asks Henan about a borrower
	bulkMailer    = "zhejiang/app/bulk-mailer"    // has a grant, and Henan's veto against it
	talentPortal  = "guangdong/app/talent-portal" // 广东人才服务平台: asks Henan about a newcomer
	permitWindow  = "guangdong/app/permit-window" // has no grant at all
	registerSync  = "henan/app/register-sync"     // 河南市场主体库: asks Zhejiang, and takes over Guangdong's changes
	henanAuditor  = "henan/auditor/zhao"          // sees what touches Henan
	otherAuditor  = "zhejiang/auditor/xu"         // sees what touches Zhejiang
)

// parties lists everybody who gets an SVID besides the servers.
func parties() []string {
	return []string{
		admin, "henan/operator/wang", "zhejiang/operator/chen", "guangdong/operator/liang",
		housingPortal, bulkMailer, talentPortal, permitWindow, registerSync, henanAuditor, otherAuditor,
	}
}

// bureau is a province's member of the exchange.
type bureau struct {
	key      string
	region   ident.Region
	uscc     string
	zh, en   string
	operator string // party who gives its grants
}

func (b bureau) domain() string { return domainOf(b.key) }

// bureaus are the members of the demo. The codes are valid and made up.
func bureaus() []bureau {
	list := []bureau{
		{key: henanKey, uscc: "11410000MB0D00416U", zh: "河南省行政审批和政务信息管理局", en: "Henan Administration of Government Data", operator: "henan/operator/wang"},
		{key: zhejiangKey, uscc: "11330000MB0D00336R", zh: "浙江省数据局", en: "Zhejiang Data Bureau", operator: "zhejiang/operator/chen"},
		{key: guangdongKey, uscc: "11440000MB0D00440Q", zh: "广东省政务服务和数据管理局", en: "Guangdong Administration of Government Services and Data", operator: "guangdong/operator/liang"},
	}
	for i := range list {
		list[i].region, _ = ident.LookupRegion(list[i].uscc[2:8])
	}
	return list
}

func domainOf(key string) string { return key + ".example" }

// idOf is the SPIFFE ID of a party or, as "henan/node" and "exchange/exchange", of a server.
func idOf(party string) (certs.ID, error) {
	owner, path, _ := strings.Cut(party, "/")
	id, err := certs.ParseID("spiffe://" + domainOf(owner) + "/" + path)
	if err != nil {
		return certs.ID{}, fmt.Errorf("naming a party: %w", err)
	}
	return id, nil
}

// trustDomainOf is the trust domain of a key.
func trustDomainOf(key string) (spiffeid.TrustDomain, error) {
	td, err := spiffeid.TrustDomainFromString(domainOf(key))
	if err != nil {
		return spiffeid.TrustDomain{}, fmt.Errorf("naming a trust domain: %w", err)
	}
	return td, nil
}

// partyDir is the folder of a party's SVID and profile.
func partyDir(party string) string {
	return filepath.Join("party", strings.ReplaceAll(party, "/", "-"))
}

// shortParty is an application as tables show it.
func shortParty(party string) string { return strings.Replace(party, "/app/", "/", 1) }
