package catalogue

import (
	"testing"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	"google.golang.org/protobuf/proto"
)

func TestRules(t *testing.T) {
	const argument, violated, identity = auditv1.Reason_REASON_ARGUMENT_INVALID, auditv1.Reason_REASON_RULE_VIOLATED, auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT
	type entry = cataloguev1.Resource
	share := func(t cataloguev1.ShareType) func(*entry) {
		return func(r *entry) { r.Sharing.Type = t }
	}
	all := func(edits ...func(*entry)) func(*entry) {
		return func(r *entry) {
			for _, edit := range edits {
				edit(r)
			}
		}
	}
	bare := func(r *entry) { r.Sharing.Condition, r.Sharing.Uses = "", nil }
	for _, c := range []struct {
		name   string
		edit   func(*entry)
		reason auditv1.Reason // 0: allowed
		fields []string
	}{
		{"发改高技〔2017〕1272号: a conditional entry", all(), 0, nil},
		{"发改高技〔2017〕1272号: an unconditional entry", all(share(unconditional), bare), 0, nil},
		{"发改高技〔2017〕1272号: an entry that is not shared", all(share(notShared), bare, func(r *entry) { r.Sharing.Reason, r.Sharing.Law = "涉密", "保守国家秘密法" }), 0, nil},
		{"发改高技〔2017〕1272号: unconditional has no condition", share(unconditional), violated, []string{"resource.sharing.condition"}},
		{"发改高技〔2017〕1272号: conditional states scope and uses", bare, violated, []string{"resource.sharing.condition", "resource.sharing.uses"}},
		{"发改高技〔2017〕1272号: not shared states reason and law", share(notShared), violated, []string{"resource.sharing.reason", "resource.sharing.law"}},
		{"国发〔2016〕51号: population data is unconditional", basic("01"), violated, []string{"resource.sharing.type"}},
		{"国发〔2016〕51号: legal-person data is unconditional", basic("02"), violated, []string{"resource.sharing.type"}},
		{"国发〔2016〕51号: geographic data is unconditional", basic("03"), violated, []string{"resource.sharing.type"}},
		{"国发〔2016〕51号: e-certificate data is unconditional", basic("05"), violated, []string{"resource.sharing.type"}},
		{"国发〔2016〕51号: credit data need not be", basic("04"), 0, nil},
		{"国发〔2016〕51号: base data is, every field", all(basic("01"), share(unconditional), bare, func(r *entry) { r.Fields[1].ShareType = notShared }), violated, []string{"resource.fields[1].share_type"}},
		{"a field may differ elsewhere", func(r *entry) { r.Fields[1].ShareType = notShared }, 0, nil},
		{"数据安全法 21: core data may be catalogued", func(r *entry) { r.Grade = cataloguev1.Grade_GRADE_CORE }, 0, nil},
		{"name with an unknown province", func(r *entry) { r.Name = "provinces/990000/resources/307410000001-000001" }, argument, []string{"resource.name"}},
		{"code that is not the name's", func(r *entry) { r.Code = "307410000001/000002" }, argument, []string{"resource.code"}},
		{"code malformed", func(r *entry) { r.Code = "307410000001-000001" }, argument, []string{"resource.code"}},
		{"GB 32100: provider", func(r *entry) { r.Provider.Uscc = "11410000MB0D004160" }, argument, []string{"resource.provider.uscc"}},
		{"GB 32100: source department", func(r *entry) { r.SourceDepartment = "I1410000MB0D00416U" }, argument, []string{"resource.source_department"}},
		{"field names repeat", func(r *entry) { r.Fields[1].Name = "name" }, argument, []string{"resource.fields[1].name"}},
		{"GB/T 37964: unknown mask", func(r *entry) { r.Fields[0].Mask = "blur" }, argument, []string{"resource.fields[0].mask"}},
		{"parameter names repeat", func(r *entry) { r.Parameters[1].Name = "id_number" }, argument, []string{"resource.parameters[1].name"}},
		{"two subjects", func(r *entry) { r.Parameters[1].Subject = true }, argument, []string{"resource.parameters[1].subject"}},
		{"unknown format", func(r *entry) { r.Parameters[0].Format = "passport" }, argument, []string{"resource.parameters[0].format"}},
		{"format of a date", func(r *entry) { r.Parameters[1].Format = "uscc" }, argument, []string{"resource.parameters[1].format"}},
		{"parameter longer than a query takes", func(r *entry) { r.Parameters[0].MaxLength = 4097 }, argument, []string{"resource.parameters[0].max_length"}},
		{"related to itself", func(r *entry) { r.Related[0] = r.Name }, argument, []string{"resource.related[0]"}},
		{"related malformed", func(r *entry) { r.Related[0] = "resources/1" }, argument, []string{"resource.related[0]"}},
		{"related twice", func(r *entry) { r.Related = append(r.Related, r.Related[0]) }, argument, []string{"resource.related[1]"}},
		{"identity number in the abstract", func(r *entry) { r.Abstract.Zh = "如 51010018800101001X" }, identity, []string{"resource.abstract.zh"}},
		{"identity number in a field's description", func(r *entry) { r.Fields[0].Description = "440100188506150028" }, identity, []string{"resource.fields[0].description"}},
		{"identity number in a use", func(r *entry) { r.Sharing.Uses[0] = "659001189203030056" }, identity, []string{"resource.sharing.uses[0]"}},
		{"all mistakes at once", all(bare, func(r *entry) { r.Code, r.Fields[0].Mask, r.Provider.Uscc = "x", "x", "x" }), argument,
			[]string{"resource.code", "resource.provider.uscc", "resource.fields[0].mask", "resource.sharing.condition", "resource.sharing.uses"}},
		{"empty", func(r *entry) { proto.Reset(r) }, argument, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := fund()
			c.edit(r)
			err := check(r)
			if c.reason == 0 {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantRefusal(t, err, c.reason, c.fields...)
		})
	}
}

func TestShareType(t *testing.T) {
	for _, c := range []struct{ resource, field, want cataloguev1.ShareType }{
		{conditional, 0, conditional},
		{conditional, unconditional, unconditional},
		{unconditional, notShared, notShared},
		{notShared, unconditional, notShared},
	} {
		r := &cataloguev1.Resource{Sharing: &cataloguev1.Sharing{Type: c.resource}}
		if got := ShareType(r, &cataloguev1.Field{ShareType: c.field}); got != c.want {
			t.Errorf("field %v of a resource %v is %v, want %v", c.field, c.resource, got, c.want)
		}
	}
}

func TestRoutable(t *testing.T) {
	for grade, want := range map[cataloguev1.Grade]bool{
		cataloguev1.Grade_GRADE_UNSPECIFIED: false, cataloguev1.Grade_GRADE_GENERAL_1: true, cataloguev1.Grade_GRADE_GENERAL_4: true,
		cataloguev1.Grade_GRADE_IMPORTANT: false, cataloguev1.Grade_GRADE_CORE: false, 99: false,
	} {
		if got := Routable(grade); got != want {
			t.Errorf("Routable(%v) = %v", grade, got)
		}
	}
}
