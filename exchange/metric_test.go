package exchange_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// TestFigures counts replicas of provinces that provide alone: whoever only asks runs no node, and a 0 would raise an alarm for nothing.
func TestFigures(t *testing.T) {
	s := harness.Start(t, nil)
	s.Province("410000", "henan.example")
	asking := s.Province("330000", "zhejiang.example")
	_, err := registryv1.NewRegistryServiceClient(s.Admin()).UpdateMember(t.Context(), &registryv1.UpdateMemberRequest{
		Member:     &registryv1.Member{Name: "provinces/" + asking.Region, Roles: []registryv1.MemberRole{registryv1.MemberRole_MEMBER_ROLE_REQUESTER}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"roles"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	families, err := s.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	regions, left := []string{}, 0.0
	for _, f := range families {
		switch f.GetName() {
		case "kuasheng_exchange_node_replicas":
			for _, m := range f.GetMetric() {
				regions = append(regions, m.GetLabel()[0].GetValue())
			}
		case "kuasheng_exchange_svid_expiry_seconds":
			left = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	if diff := cmp.Diff([]string{"410000"}, regions); diff != "" {
		t.Errorf("regions with a count of replicas (-want +got):\n%s", diff)
	}
	if left <= 0 {
		t.Errorf("the SVID expires in %v s", left)
	}
}
