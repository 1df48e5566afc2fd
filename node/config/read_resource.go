package config

import (
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// Bounds of a resource's limits. Each keeps one resource from taking the node away from all others.
const (
	defaultTimeout = 2 * time.Second
	leastTimeout   = 10 * time.Millisecond
	mostTimeout    = 30 * time.Second // a caller behind a counter does not wait longer

	defaultRows = 200
	mostRows    = 10000 // more is an export

	defaultAnswerBytes = 1 << 20
	leastAnswerBytes   = 1 << 10
	mostAnswerBytes    = 3 << 20 // gRPC refuses messages above 4 MiB, and records travel beside the answer

	mostExportRows = 1_000_000_000

	defaultExportTimeout = 10 * time.Minute
	mostExportTimeout    = 24 * time.Hour

	defaultConnections = 8
	mostConnections    = 256 // a database serves more connections slower, not faster
)

// maxResources is thrice what the largest province publishes (DOMAIN.md section 7: 32,000 in all).
const maxResources = 5000

func (t *table) resources(n *Node) []Resource {
	items := t.items("resources")
	if len(items) > maxResources {
		t.r.add(position(items[maxResources]), "more than %d resources; split the province into several members", maxResources)
		items = items[:maxResources]
	}
	first := map[string]int{}
	var list []Resource
	for _, item := range items {
		r := t.r.resource(item, n)
		if line, ok := first[r.Code]; ok && r.Code != "" {
			t.r.add(r.At, "resource %s stands twice, first on line %d; remove one or give it another sequence", r.Code, line)
		} else {
			first[r.Code] = r.At.Line
		}
		list = append(list, r)
	}
	return list
}

func (r *reader) resource(item ast.Node, n *Node) Resource {
	t := r.table(item, "a resource",
		"code title abstract provider format share update_cycle grade source_department fields",
		"open conditions_of_use related classification parameters source query request limits")
	if t == nil {
		return Resource{At: position(item)}
	}
	res := Resource{
		At:               t.at,
		Code:             t.resourceCode("code"),
		Title:            t.localized("title", 2000),
		Abstract:         t.localized("abstract", 2000),
		Provider:         t.provider(),
		Format:           word(t, "format", FormatFile, FormatSpreadsheet, FormatDatabase, FormatImage, FormatStream, FormatSelfDescribed, FormatService),
		Share:            t.share(),
		Open:             t.boolean("open", false),
		UpdateCycle:      word(t, "update_cycle", RealTime, Daily, Weekly, Monthly, Quarterly, HalfYearly, Yearly, Irregular),
		Grade:            word(t, "grade", GradeCore, GradeImportant, GradeGeneral1, GradeGeneral2, GradeGeneral3, GradeGeneral4),
		SourceDepartment: t.uscc("source_department"),
		ConditionsOfUse:  t.text("conditions_of_use", 2000),
		Related:          t.related(n.Region),
		Classification:   t.text("classification", 100),
		Source:           t.text("source", 63),
		Query:            t.text("query", maxQuery),
		Request:          t.request(),
		Limits:           t.limits(),
	}
	res.Fields = t.fields(res.Open)
	res.Parameters = t.parameters()
	t.catalogueRules(res)
	t.mapping(res, n)
	return res
}

func (t *table) resourceCode(name string) string {
	code := t.text(name, 64)
	if _, err := ident.ParseResourceCode(code); code != "" && err != nil {
		t.r.add(t.where(name), "`%s` is no resource code (%v); write class and sequence, as in 307410000001/000012", name, err)
		return ""
	}
	return code
}

// localized reads {zh: …, en: …}; Chinese is what the catalogue is published in, English may be missing.
func (t *table) localized(name string, max int) Text {
	c := t.child(name, "zh", "en")
	return Text{ZH: c.text("zh", max), EN: c.text("en", maxText)}
}

func (t *table) provider() Provider {
	c := t.child("provider", "name uscc", "")
	return Provider{Name: c.text("name", 200), USCC: c.uscc("uscc")}
}

func (t *table) uscc(name string) string {
	code := t.text(name, 64)
	if _, err := ident.ParseUSCC(code); code != "" && err != nil {
		t.r.add(t.where(name), "`%s` is no unified social credit code (%v); copy the department's 18 characters", name, err)
		return ""
	}
	return code
}

// related reads resource names, or codes of the own province.
func (t *table) related(region string) []string {
	var names []string
	own, _ := ident.LookupRegion(region)
	for _, s := range t.texts("related", 50, 200) {
		if code, err := ident.ParseResourceCode(s); err == nil {
			s = ident.ResourceName{Region: own, Code: code}.String()
		} else if _, err := ident.ParseResourceName(s); err != nil {
			t.r.add(t.where("related"), "`related` holds an entry that is neither a resource code nor a name such as provinces/410000/resources/307410000001-000012")
		}
		names = append(names, s)
	}
	return names
}

func (t *table) limits() Limits {
	var c *table
	if t.has("limits") {
		c = t.child("limits", "", "timeout rows answer_bytes export_rows export_timeout connections")
	}
	return Limits{
		Timeout:       c.duration("timeout", defaultTimeout, leastTimeout, mostTimeout),
		Rows:          int(c.integer("rows", defaultRows, 1, mostRows)),
		AnswerBytes:   int(c.integer("answer_bytes", defaultAnswerBytes, leastAnswerBytes, mostAnswerBytes)),
		ExportRows:    c.integer("export_rows", 0, 0, mostExportRows),
		ExportTimeout: c.duration("export_timeout", defaultExportTimeout, time.Second, mostExportTimeout),
		Connections:   int(c.integer("connections", defaultConnections, 1, mostConnections)),
	}
}
