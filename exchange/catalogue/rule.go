package catalogue

import (
	"fmt"

	"github.com/kuasheng/kuasheng/exchange/rule"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
)

// maxParameter bounds the characters of one parameter: what a query may carry for it in bytes.
const maxParameter = 4096

// check holds the rules of an entry, and reports every mistake at once. Lengths, counts and patterns are checked before, by protovalidate.
func check(r *cataloguev1.Resource) error {
	var mistakes rule.Mistakes
	name, err := ident.ParseResourceName(r.GetName())
	if err != nil {
		mistakes.Argument("resource.name", "%v", err)
	} else {
		checkCode(&mistakes, r, name)
	}
	mistakes.USCC("resource.provider.uscc", r.GetProvider().GetUscc())
	mistakes.USCC("resource.source_department", r.GetSourceDepartment())
	checkTexts(&mistakes, r)
	checkFields(&mistakes, r.GetFields())
	checkParameters(&mistakes, r.GetParameters())
	checkRelated(&mistakes, r)
	checkSharing(&mistakes, r, name.Code.Base())
	return mistakes.Err()
}

// checkCode demands that name and printed code are the same number: an entry found under one must not be quoted under another.
func checkCode(mistakes *rule.Mistakes, r *cataloguev1.Resource, name ident.ResourceName) {
	code, err := ident.ParseResourceCode(r.GetCode())
	switch {
	case err != nil:
		mistakes.Argument("resource.code", "%v", err)
	case code != name.Code:
		mistakes.Argument("resource.code", "is not the code that the name carries")
	}
}

func checkTexts(mistakes *rule.Mistakes, r *cataloguev1.Resource) {
	mistakes.Text("resource.title.zh", r.GetTitle().GetZh())
	mistakes.Text("resource.title.en", r.GetTitle().GetEn())
	mistakes.Text("resource.abstract.zh", r.GetAbstract().GetZh())
	mistakes.Text("resource.abstract.en", r.GetAbstract().GetEn())
	mistakes.Text("resource.provider.display_name", r.GetProvider().GetDisplayName())
	mistakes.Text("resource.conditions_of_use", r.GetConditionsOfUse())
	mistakes.Text("resource.classification", r.GetClassification())
}

func checkFields(mistakes *rule.Mistakes, fields []*cataloguev1.Field) {
	seen := make(map[string]bool, len(fields))
	for i, f := range fields {
		place := func(part string) string { return fmt.Sprintf("resource.fields[%d].%s", i, part) }
		if seen[f.GetName()] {
			mistakes.Argument(place("name"), "another field has the same name")
		}
		seen[f.GetName()] = true
		if f.GetMask() != "" {
			if _, err := ident.ParseMask(f.GetMask()); err != nil {
				mistakes.Argument(place("mask"), "%v", err)
			}
		}
		mistakes.Text(place("title.zh"), f.GetTitle().GetZh())
		mistakes.Text(place("title.en"), f.GetTitle().GetEn())
		mistakes.Text(place("unit"), f.GetUnit())
		mistakes.Text(place("description"), f.GetDescription())
	}
}

func checkParameters(mistakes *rule.Mistakes, parameters []*cataloguev1.Parameter) {
	seen := make(map[string]bool, len(parameters))
	subject := false
	for i, p := range parameters {
		place := func(part string) string { return fmt.Sprintf("resource.parameters[%d].%s", i, part) }
		if seen[p.GetName()] {
			mistakes.Argument(place("name"), "another parameter has the same name")
		}
		seen[p.GetName()] = true
		switch p.GetFormat() {
		case "":
		case "citizen_identity_number", "uscc", "region":
			if p.GetType() != cataloguev1.FieldType_FIELD_TYPE_STRING {
				mistakes.Argument(place("format"), "only a parameter of type STRING has a format")
			}
		default:
			mistakes.Argument(place("format"), "must be citizen_identity_number, uscc, region or empty")
		}
		if p.GetSubject() && subject {
			mistakes.Argument(place("subject"), "another parameter names the subject already")
		}
		subject = subject || p.GetSubject()
		if p.GetMaxLength() > maxParameter {
			mistakes.Argument(place("max_length"), "must be at most %d", maxParameter)
		}
		mistakes.Text(place("title.zh"), p.GetTitle().GetZh())
		mistakes.Text(place("title.en"), p.GetTitle().GetEn())
	}
}

// checkRelated does not demand that related entries exist: provinces publish in any order.
func checkRelated(mistakes *rule.Mistakes, r *cataloguev1.Resource) {
	seen := make(map[string]bool, len(r.GetRelated()))
	for i, related := range r.GetRelated() {
		place := fmt.Sprintf("resource.related[%d]", i)
		switch _, err := ident.ParseResourceName(related); {
		case err != nil:
			mistakes.Argument(place, "%v", err)
		case related == r.GetName():
			mistakes.Argument(place, "an entry is not related to itself")
		case seen[related]:
			mistakes.Argument(place, "is listed twice")
		}
		seen[related] = true
	}
}
