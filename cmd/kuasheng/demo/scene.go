package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/cmd/kuasheng/demo/dataset"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
)

// opening says what this is.
func (n *narrator) opening() {
	fmt.Fprintln(n.w, "Kuasheng 跨省  one exchange, three provinces, every access on record")
	fmt.Fprintln(n.w)
	n.say(`The four servers share this one process, to spare memory. They are what "exchange serve" and "node serve" run, from files of
		the same form, and nothing but mTLS over 127.0.0.1 is between them. All people are synthetic, born in the nineteenth century.`)
}

// tellData tells what the provinces know and who speaks for them.
func (n *narrator) tellData(st *stage) {
	if !st.first {
		n.say("Everything of the last start is in %s: authorities, data, members, grants, logs.", st.folder.dir)
	} else if st.folder.temporary {
		n.say("Everything is in %s until the end; --dir keeps it.", st.folder.dir)
	} else {
		n.say("Everything is in %s.", st.folder.dir)
	}
	rows := [][]string{}
	for _, p := range st.provinces {
		total := 0
		for _, r := range p.rows() {
			total += r
		}
		rows = append(rows, []string{
			p.region.Chinese + " " + p.region.English, fmt.Sprintf("%d rows in %d SQLite files", total, len(p.data.Files)), "authority of " + p.domain(),
		})
	}
	n.table(rows)
	n.say(`No authority can speak for another's domain. SVIDs live for an hour and are renewed while this runs.`)
}

// tellExchange tells that the exchange serves.
func (n *narrator) tellExchange(st *stage) {
	n.table([][]string{{"spiffe://" + domainOf(exchangeKey) + "/exchange", "gRPC " + st.manifest.GRPC, "REST " + st.manifest.REST}})
	n.say("The administrator registers the members: their authority, and the key of their journal.")
}

func (n *narrator) tellMember(m *registryv1.Member) {
	n.line("%s  %s, %s", m.GetName(), clean(m.GetDisplayNameZh()), clean(m.GetTrustDomain()))
}

// tellNode tells that a node has attached.
func (n *narrator) tellNode(p *province) {
	n.line("spiffe://%s/node attached: it dialled out, and listens on no port", p.domain())
}

// closing ends a demo that does not stay up.
func (n *narrator) closing(st *stage) {
	fmt.Fprintln(n.w)
	n.say("Every step behaved, in %s.", time.Since(st.began).Round(100*time.Millisecond))
	if !st.folder.temporary {
		n.say("%s holds everything; without --once the servers stay up.", st.folder.dir)
	}
}

// topicName is a topic for people.
func topicName(t dataset.Topic) string {
	switch t {
	case dataset.Housing:
		return "住房公积金 housing fund"
	case dataset.Insurance:
		return "社会保险 social insurance"
	case dataset.Qualification:
		return "职业资格 qualification"
	case dataset.Household:
		return "户籍 household"
	case dataset.Licence:
		return "驾驶证 driving licence"
	case dataset.Marriage:
		return "婚姻登记 marriage"
	case dataset.RealEstate:
		return "不动产 real estate"
	case dataset.Degree:
		return "学历学位 degree"
	case dataset.Registration:
		return "市场主体 enterprise"
	case dataset.Change:
		return "市场主体变更 changes"
	default:
		return string(t)
	}
}

// chinese is the Chinese half of topicName.
func chinese(t dataset.Topic) string {
	zh, _, _ := strings.Cut(topicName(t), " ")
	return zh
}
