package config

import (
	"time"

	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/yamlfile"
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

func resources(t *yamlfile.Table, n *Node) []Resource {
	items := t.Items("resources")
	if len(items) > maxResources {
		t.Add(items[maxResources].At(), "more than %d resources; split the province into several members", maxResources)
		items = items[:maxResources]
	}
	first := map[string]int{}
	var list []Resource
	for _, item := range items {
		r := resource(item, n)
		if line, ok := first[r.Code]; ok && r.Code != "" {
			t.Add(r.At, "resource %s stands twice, first on line %d; remove one or give it another sequence", r.Code, line)
		} else {
			first[r.Code] = r.At.Line
		}
		list = append(list, r)
	}
	return list
}

func resource(item yamlfile.Item, n *Node) Resource {
	t := item.Table("a resource",
		"code title abstract provider format share update_cycle grade source_department fields",
		"open conditions_of_use related classification parameters source query request limits")
	if t == nil {
		return Resource{At: item.At()}
	}
	res := Resource{
		At:               t.At(),
		Code:             resourceCode(t, "code"),
		Title:            localized(t, "title", 2000),
		Abstract:         localized(t, "abstract", 2000),
		Provider:         provider(t),
		Format:           yamlfile.Word(t, "format", FormatFile, FormatSpreadsheet, FormatDatabase, FormatImage, FormatStream, FormatSelfDescribed, FormatService),
		Share:            share(t),
		Open:             t.Bool("open", false),
		UpdateCycle:      yamlfile.Word(t, "update_cycle", RealTime, Daily, Weekly, Monthly, Quarterly, HalfYearly, Yearly, Irregular),
		Grade:            yamlfile.Word(t, "grade", GradeCore, GradeImportant, GradeGeneral1, GradeGeneral2, GradeGeneral3, GradeGeneral4),
		SourceDepartment: uscc(t, "source_department"),
		ConditionsOfUse:  t.TextWithin("conditions_of_use", 2000),
		Related:          related(t, n.Region),
		Classification:   t.TextWithin("classification", 100),
		Source:           t.TextWithin("source", 63),
		Query:            t.TextWithin("query", maxQuery),
		Request:          request(t),
		Limits:           limits(t),
	}
	res.Fields = fields(t, res.Open)
	res.Parameters = parameters(t)
	catalogueRules(t, res)
	mapping(t, res, n)
	return res
}

func resourceCode(t *yamlfile.Table, name string) string {
	code := t.TextWithin(name, 64)
	if _, err := ident.ParseResourceCode(code); code != "" && err != nil {
		t.Add(t.Where(name), "`%s` is no resource code (%v); write class and sequence, as in 307410000001/000012", name, err)
		return ""
	}
	return code
}

// localized reads {zh: …, en: …}; Chinese is what the catalogue is published in, English may be missing.
func localized(t *yamlfile.Table, name string, max int) Text {
	c := t.Child(name, "zh", "en")
	return Text{ZH: c.TextWithin("zh", max), EN: c.Text("en")}
}

func provider(t *yamlfile.Table) Provider {
	c := t.Child("provider", "name uscc", "")
	return Provider{Name: c.TextWithin("name", 200), USCC: uscc(c, "uscc")}
}

func uscc(t *yamlfile.Table, name string) string {
	code := t.TextWithin(name, 64)
	if _, err := ident.ParseUSCC(code); code != "" && err != nil {
		t.Add(t.Where(name), "`%s` is no unified social credit code (%v); copy the department's 18 characters", name, err)
		return ""
	}
	return code
}

// related reads resource names, or codes of the own province.
func related(t *yamlfile.Table, region string) []string {
	var names []string
	own, _ := ident.LookupRegion(region)
	for _, s := range t.Texts("related", 50, 200) {
		if code, err := ident.ParseResourceCode(s); err == nil {
			s = ident.ResourceName{Region: own, Code: code}.String()
		} else if _, err := ident.ParseResourceName(s); err != nil {
			t.Add(t.Where("related"), "`related` holds an entry that is neither a resource code nor a name such as provinces/410000/resources/307410000001-000012")
		}
		names = append(names, s)
	}
	return names
}

func limits(t *yamlfile.Table) Limits {
	var c *yamlfile.Table
	if t.Has("limits") {
		c = t.Child("limits", "", "timeout rows answer_bytes export_rows export_timeout connections")
	}
	return Limits{
		Timeout:       c.Duration("timeout", defaultTimeout, leastTimeout, mostTimeout),
		Rows:          int(c.Integer("rows", defaultRows, 1, mostRows)),
		AnswerBytes:   int(c.Integer("answer_bytes", defaultAnswerBytes, leastAnswerBytes, mostAnswerBytes)),
		ExportRows:    c.Integer("export_rows", 0, 0, mostExportRows),
		ExportTimeout: c.Duration("export_timeout", defaultExportTimeout, time.Second, mostExportTimeout),
		Connections:   int(c.Integer("connections", defaultConnections, 1, mostConnections)),
	}
}
