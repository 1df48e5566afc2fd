package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// clerk is who asks at the requesters, as they name their staff. The forger of the last step writes another number.
const clerk = "clerk-17"

// question is a request that a permission covers.
func (s *story) question(p permission, parameters map[string]string, caseNumber, cause string) (*queryv1.QueryResourceRequest, error) {
	resource, err := s.province(p.provider).resource(p.topic)
	if err != nil {
		return nil, err
	}
	return &queryv1.QueryResourceRequest{
		Resource: resource, Fields: p.fields, Parameters: parameters, Purpose: p.asked(caseNumber, cause), Operator: clerk,
	}, nil
}

// query asks three questions, one of each province's applications.
func (s *story) query(ctx context.Context) error {
	henan, zhejiang := s.province(henanKey).data, s.province(zhejiangKey).data
	for i, one := range []struct {
		permission, why, caseNumber, cause string
		parameters                         map[string]string
		masked                             []string
	}{
		{
			"housing", "A clerk in Hangzhou reviews a loan: what has the borrower paid into Henan's housing fund?",
			"HZ-2026-0123", "公积金异地贷款审核", map[string]string{"id_number": henan.People[0].IDNumber}, nil,
		},
		{
			"household", "Guangzhou settles a talent from Henan: which household? Henan masks what is not needed.",
			"GZ-2026-0456", "引进人才落户", map[string]string{"id_number": henan.People[1].IDNumber}, []string{"address", "phone"},
		},
		{
			"registration", "Henan looks up an enterprise of Zhejiang.",
			"HN-2026-0789", "市场主体信息更新", map[string]string{"uscc": zhejiang.Enterprises[0].USCC}, nil,
		},
	} {
		p := permissionOf(one.permission)
		req, err := s.question(p, one.parameters, one.caseNumber, one.cause)
		if err != nil {
			return err
		}
		if err := s.save(p, req); err != nil {
			return err
		}
		if i > 0 {
			s.gap()
		}
		s.say("%s", one.why)
		s.line("%s  →  %s %s", p.requester, s.province(p.provider).region.Chinese, topicName(p.topic))
		a, err := s.ask(ctx, p, req)
		if err != nil {
			return err
		}
		for _, field := range one.masked {
			if !slices.Contains(a.Response.GetMaskedFields(), field) {
				return mustf("the province was to mask %s and did not", field)
			}
		}
		if s.answer == nil {
			s.answer = a
		}
	}
	s.gap()
	return s.crowd(ctx)
}

// ask asks one question, which must be answered with evidence that holds, and shows both.
func (s *story) ask(ctx context.Context, p permission, req *queryv1.QueryResourceRequest) (*client.Answer, error) {
	c, err := s.as(ctx, p.requester)
	if err != nil {
		return nil, err
	}
	a, err := c.Query(ctx, req)
	if err != nil {
		return nil, err
	}
	if a.Evidence == nil || !a.Evidence.Pinned || a.Evidence.IntentRecord.GetIntent().GetVerdict() != auditv1.Verdict_VERDICT_PERMITTED {
		return nil, mustf("the answer came without evidence")
	}
	s.expect(a.Evidence.Access, c, auditv1.Result_RESULT_ANSWERED, auditv1.Reason_REASON_UNSPECIFIED)
	entry, err := c.Catalogue().GetResource(ctx, &cataloguev1.GetResourceRequest{Name: req.GetResource()})
	if err != nil {
		return nil, fmt.Errorf("reading a catalogue entry: %w", err)
	}
	if err := s.showAnswer(entry, req.GetFields(), a); err != nil {
		return nil, err
	}
	s.showEvidence(a.Evidence)
	return a, nil
}

// showAnswer shows the first row with the names that the catalogue has for its fields.
func (s *story) showAnswer(entry *cataloguev1.Resource, fields []string, a *client.Answer) error {
	var answer struct {
		Rows []map[string]json.RawMessage `json:"rows"`
	}
	if err := json.Unmarshal(a.Bytes(), &answer); err != nil {
		return mustf("the answer is not JSON")
	}
	if len(answer.Rows) == 0 || int64(len(answer.Rows)) != a.Response.GetRowCount() {
		return mustf("the answer has %d rows, and says %d", len(answer.Rows), a.Response.GetRowCount())
	}
	if len(answer.Rows[0]) != len(fields) {
		return mustf("the answer has %d fields, asked for were %d", len(answer.Rows[0]), len(fields))
	}
	titles := map[string]*cataloguev1.LocalizedText{}
	for _, f := range entry.GetFields() {
		titles[f.GetName()] = f.GetTitle()
	}
	var rows [][]string
	for _, name := range fields {
		note := ""
		if slices.Contains(a.Response.GetMaskedFields(), name) {
			note = "(masked 脱敏)"
		}
		rows = append(rows, []string{"  ", titles[name].GetZh(), titles[name].GetEn(), plain(answer.Rows[0][name]), note})
	}
	s.table(rows)
	if more := len(answer.Rows) - 1; more > 0 {
		s.line("    and %d more rows", more)
	}
	return nil
}

func (s *story) showEvidence(e *client.Evidence) {
	s.line("✓ on record before anything left: %s, record %d of %s", e.Access, e.Intent.Index, e.Intent.Origin)
	s.line("✓ on record before the answer left: record %d of %s", e.Answer.Index, e.Answer.Origin)
	s.line("✓ both proven; caller, fields, parameters, purpose and bytes are those on record")
}

// plain is a JSON value as people read it.
func plain(v json.RawMessage) string {
	var text string
	switch {
	case json.Unmarshal(v, &text) == nil && string(v) != "null":
		return text
	case string(v) == "null":
		return "-"
	}
	return string(v)
}

// save writes the question to files, for people to send it themselves.
func (s *story) save(p permission, req *queryv1.QueryResourceRequest) error {
	body, err := protojson.MarshalOptions{Multiline: true, UseProtoNames: true}.Marshal(req)
	if err != nil {
		return fmt.Errorf("writing a question: %w", err)
	}
	var params strings.Builder
	for name, value := range req.GetParameters() {
		params.WriteString(name + "=" + value + "\n")
	}
	q := QuestionEntry{
		Party: p.requester, Resource: req.GetResource(),
		Body: s.folder.path("question", p.key+".json"), Params: s.folder.path("question", p.key+".params"),
	}
	if err := writeFile(q.Body, append(body, '\n'), 0o600); err != nil {
		return err
	}
	if err := writeFile(q.Params, []byte(params.String()), 0o600); err != nil {
		return err
	}
	s.manifest.Questions[p.key] = q
	return nil
}

// number is a count for people, with a comma every three digits.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
