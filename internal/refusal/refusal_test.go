package refusal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestRefusalTable holds the table to the enum: every reason has a code of its own choosing and a message in Chinese.
func TestRefusalTable(t *testing.T) {
	messages := map[string]string{}
	for number, full := range auditv1.Reason_name {
		reason := auditv1.Reason(number)
		if reason == auditv1.Reason_REASON_UNSPECIFIED {
			continue
		}
		if got := refusal.Parse(refusal.Name(reason)); got != reason {
			t.Errorf("%s reads back as %v", full, got)
		}
		code, zh := refusal.Code(reason), refusal.Chinese(reason)
		if code == codes.OK || code == codes.Unknown {
			t.Errorf("%s has the code %v", full, code)
		}
		if reason != auditv1.Reason_REASON_INTERNAL && zh == refusal.Chinese(auditv1.Reason_REASON_INTERNAL) {
			t.Errorf("%s is not in the table", full)
		}
		if other, ok := messages[zh]; ok {
			t.Errorf("%s and %s have one message", full, other)
		}
		messages[zh] = full
		if han(zh) < 4 || strings.Contains(zh, "。") {
			t.Errorf("%s: %q is no message in Chinese that a subject can follow", full, zh)
		}
		if cure := refusal.Cure(reason); han(cure) < 4 || !strings.HasSuffix(cure, "。") {
			t.Errorf("%s: %q does not say in Chinese what to do", full, cure)
		}

		// What goes to a caller reads back as what was said.
		in := &refusal.Error{Reason: reason, Subject: "purpose.code", Detail: "why", Fields: []refusal.Field{{Name: "a", Description: "b"}}}
		out, domain, access, ok := refusal.FromStatus(in.Status("henan.example", "accesses/7").Err())
		if !ok || out.Reason != reason || out.Subject != in.Subject || out.Detail != in.Detail || domain != "henan.example" || access != "accesses/7" {
			t.Errorf("%s came back as %v from %q about %q", full, out, domain, access)
		}
	}
	if got := refusal.Code(9999); got != codes.Internal {
		t.Errorf("a reason of a later version has the code %v", got)
	}
	if got := refusal.Cure(9999); got != refusal.Cure(auditv1.Reason_REASON_INTERNAL) {
		t.Errorf("the cure of a reason of a later version is %q", got)
	}
}

// han counts Chinese characters.
func han(s string) int {
	n := 0
	for _, r := range s {
		if unicode.Is(unicode.Han, r) {
			n++
		}
	}
	return n
}

// TestLocalized holds the Chinese message to its form: what happened, what it is about, what to do.
func TestLocalized(t *testing.T) {
	for _, test := range []struct {
		name, subject, want string
	}{
		{"subject", "purpose.code", "用途超出授权范围（purpose.code）。请如实填写用途；属于新用途的，请向提供省份主管部门申请相应授权。"},
		{"no subject", "", "用途超出授权范围。请如实填写用途；属于新用途的，请向提供省份主管部门申请相应授权。"},
		{"withheld", `parameters["(withheld)"]`, `用途超出授权范围（parameters["名称不予显示"]）。请如实填写用途；属于新用途的，请向提供省份主管部门申请相应授权。`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := refusal.About(auditv1.Reason_REASON_PURPOSE_NOT_GRANTED, test.subject, "detail")
			if diff := cmp.Diff(test.want, r.Localized()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestStatus shows what a status carries.
func TestStatus(t *testing.T) {
	r := refusal.About(auditv1.Reason_REASON_PARAMETER_INVALID, "since", "%q: not a date", "since")
	s := r.Status("henan.example", "")
	if s.Code() != codes.InvalidArgument || s.Message() != `PARAMETER_INVALID: "since": not a date` {
		t.Errorf("status is %v %q", s.Code(), s.Message())
	}
	var info, zh bool
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d.GetReason() == "PARAMETER_INVALID" && d.GetDomain() == "henan.example" && d.GetMetadata()["subject"] == "since"
			if _, ok := d.GetMetadata()["access"]; ok {
				t.Error("an access is named where there is none")
			}
		case *errdetails.LocalizedMessage:
			zh = d.GetLocale() == "zh-CN" && d.GetMessage() == r.Localized()
		}
	}
	if !info || !zh {
		t.Errorf("details are %v", s.Details())
	}
	// A name cut inside a character cannot be sent; the rest of the refusal still is.
	broken := refusal.About(auditv1.Reason_REASON_PARAMETER_UNKNOWN, "\xe5\xa7", "no \xe5\xa7")
	if got, _, _, ok := refusal.FromStatus(broken.Status("d", "accesses/1").Err()); !ok || got.Reason != broken.Reason {
		t.Errorf("a refusal about what is not UTF-8 came back as %v", got)
	}
}

// TestIs finds a refusal by its reason under any wrapping.
func TestIs(t *testing.T) {
	err := fmt.Errorf("deciding: %w", refusal.New(auditv1.Reason_REASON_NO_GRANT, "none"))
	if !errors.Is(err, refusal.New(auditv1.Reason_REASON_NO_GRANT, "")) || errors.Is(err, refusal.New(auditv1.Reason_REASON_GRANT_EXPIRED, "")) {
		t.Error("refusals are not told apart by reason")
	}
	if r, ok := refusal.Of(err); !ok || r.Detail != "none" {
		t.Errorf("the refusal inside is %v", r)
	}
	if _, ok := refusal.Of(errors.New("other")); ok {
		t.Error("found a refusal where there is none")
	}
	if _, _, _, ok := refusal.FromStatus(status.Error(codes.NotFound, "x")); ok {
		t.Error("found a refusal in a status without details")
	}
}
