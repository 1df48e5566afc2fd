package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/kuasheng/kuasheng/cmd/kuasheng/demo/dataset"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
)

// publish waits until the nodes have published what their files say, and shows the catalogue.
func (s *story) publish(ctx context.Context) error {
	c, err := s.as(ctx, housingPortal)
	if err != nil {
		return err
	}
	rows := [][]string{{"PROVINCE", "CODE", "TITLE", "", "FIELDS", "SHARED"}}
	total := 0
	for _, p := range s.provinces {
		var page *cataloguev1.ListResourcesResponse
		want := len(dataset.Topics(p.region))
		err := eventually(ctx, "the catalogue of "+p.key, func() (bool, error) {
			page, err = c.Catalogue().ListResources(ctx, &cataloguev1.ListResourcesRequest{Parent: "provinces/" + p.region.Code})
			return len(page.GetResources()) == want, err
		})
		if err != nil {
			return fmt.Errorf("%d of %d entries are published, server.log says why: %w", len(page.GetResources()), want, err)
		}
		total += want
		for _, r := range page.GetResources() {
			shared := "无条件"
			if r.GetSharing().GetType() == cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL {
				shared = "有条件"
			}
			rows = append(rows, []string{p.region.Chinese, r.GetCode(), r.GetTitle().GetZh(), p.topic(r.GetCode()), fmt.Sprint(len(r.GetFields())), shared})
		}
	}
	if total < 8 {
		return mustf("the provinces publish %d resources, want 8 at least", total)
	}
	s.say("Each node publishes the entries of its file when it attaches, and again when the file changes. " +
		"Shared 有条件 for the purposes in the entry, 无条件 for every duty.")
	s.table(rows)
	return nil
}

// topic is the short English name of a resource.
func (p *province) topic(code string) string {
	for _, t := range dataset.Topics(p.region) {
		if c, ok := dataset.Code(p.region, t); ok && c.String() == code {
			_, en, _ := strings.Cut(topicName(t), " ")
			return en
		}
	}
	return ""
}
