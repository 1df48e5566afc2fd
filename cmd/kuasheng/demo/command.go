package demo

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/kuasheng/kuasheng/certs/devca"
)

// commands shows where everything is, and what there is to paste while the servers are up.
func (n *narrator) commands(st *stage, program string) {
	m := st.manifest
	f := st.folder
	n.gap()
	n.line("Every step behaved. All of it stays up until Ctrl-C.")
	n.table([][]string{
		{"folder", f.dir},
		{"for scripts", f.path(manifestFile)},
		{"credentials", f.path("party", "*", "{"+devca.SVIDFile+","+devca.KeyFile+",profile.yaml}")},
		{"configuration", f.path(exchangeKey, "exchange.yaml") + ", " + f.path("*", "node.yaml")},
		{"operations log", f.path("server.log")},
	})
	n.gap()
	n.line("To paste into a shell, the first two lines first:")
	n.gap()
	party := filepath.Join("$D", partyDir(m.Questions["housing"].Party))
	n.paste("D=" + quote(f.dir))
	n.paste("P=" + dquote(party) + "   # an application of Zhejiang")
	n.kuasheng(st, program)
	n.grpcurl(m)
	n.curl(m)
	n.refusals(m)
}

// kuasheng asks, exports and audits by this command line.
func (n *narrator) kuasheng(st *stage, program string) {
	housing, change := st.manifest.Grants["housing"], st.manifest.Grants["change"]
	as := func(party string) string {
		return "--profile " + dquote(filepath.Join("$D", partyDir(party), "profile.yaml"))
	}
	asked := func(g GrantEntry) string {
		return fmt.Sprintf("--purpose %s --basis statutory-duty --item %s", g.Purpose, g.Item)
	}
	n.heading("The command line", "in the folder of the source, if it is go run")
	n.paste(
		program+" query "+housing.Resource, `--profile "$P/profile.yaml" --field account_no --field balance --param-file "$D/question/housing.params"`,
		asked(housing)+" --case HZ-2026-2000",
	)
	n.paste(
		program+" query export "+change.Resource, as(change.Requester)+` --out "$D/export/again-$(date +%s).jsonl"`,
		`--field entry_no --field uscc --field item --param-file "$D/question/change.params"`, asked(change),
	)
	n.paste(program+" audit list --limit 10", as(henanAuditor))
	n.paste(program+` audit verify --dir "$D/exchange/data/accesslog/log"`, "--key "+dquote(st.logKey))
	n.paste(program+` audit verify --dir "$D/tampered"`, "--key "+dquote(st.logKey)+"   # fails, and names the record")
}

// grpcurl lists the services by reflection and asks.
func (n *narrator) grpcurl(m *Manifest) {
	who := `-cacert "$D/ca/exchange/bundle.pem" -cert "$P/svid.pem" -key "$P/svid.key"`
	n.heading("gRPC", "the answer is bytes: base64")
	n.paste("grpcurl "+who, m.GRPC+" list")
	n.paste("grpcurl "+who, "-d @ "+m.GRPC+` kuasheng.query.v1.QueryService/QueryResource < "$D/question/housing.json"`)
}

// curl asks over REST.
func (n *narrator) curl(m *Manifest) {
	n.heading("REST", "the answer stands inline, byte for byte")
	n.paste(ask(m, `--cert "$P/svid.pem" --key "$P/svid.key"`)...)
	n.paste(`curl -s --cacert "$D/ca/exchange/bundle.pem" ` + m.REST + "/openapi.json")
}

// refusals are callers whom the exchange knows not to answer.
func (n *narrator) refusals(m *Manifest) {
	n.heading("Refused", "no certificate; expired; signed by another province; a node in the place of an application")
	for _, dir := range []string{"", expiredDir, forgedDir, henanKey + "/certs"} {
		who := ""
		if dir != "" {
			who = fmt.Sprintf(`--cert "$D/%s/svid.pem" --key "$D/%s/svid.key"`, dir, dir)
		}
		n.paste(ask(m, who)...)
	}
}

// ask is the housing question by curl. The answer ends without a line feed, hence echo.
func ask(m *Manifest, who string) []string {
	parts := []string{
		`curl -s --cacert "$D/ca/exchange/bundle.pem"`, `-H 'Content-Type: application/json' -d @"$D/question/housing.json"`,
		m.REST + "/v1/" + m.Questions["housing"].Resource + ":query; echo",
	}
	if who != "" {
		parts = append(parts[:1], append([]string{who}, parts[1:]...)...)
	}
	return parts
}

// heading is a comment of the shell, so that everything can be pasted at once.
func (n *narrator) heading(name, note string) {
	fmt.Fprintf(n.w, "\n# %s: %s\n", name, note)
}

// paste shows one command on several lines, so that none is wider than a terminal.
func (n *narrator) paste(parts ...string) {
	fmt.Fprintln(n.w, strings.Join(parts, " \\\n  "))
}

// quote makes one word of the shell out of any text.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// dquote makes one word of a text in which only $D and $P mean anything: names of parties and public keys hold nothing else.
func dquote(s string) string { return `"` + s + `"` }
