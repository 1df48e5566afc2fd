package demo

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
)

// since is before the first change that the data holds.
const since = "1990-01-01"

// export takes over all of Guangdong's changes into a file.
func (s *story) export(ctx context.Context) error {
	p := permissionOf("change")
	asked, err := s.question(p, map[string]string{"since": since}, "", "市场主体库每日更新")
	if err != nil {
		return err
	}
	if err := s.save(p, asked); err != nil {
		return err
	}
	req := &queryv1.ExportResourceRequest{
		Resource: asked.GetResource(), Fields: asked.GetFields(), Parameters: asked.GetParameters(), Purpose: asked.GetPurpose(), Operator: asked.GetOperator(),
	}
	c, err := s.as(ctx, p.requester)
	if err != nil {
		return err
	}
	s.say("Henan's register takes over what has changed in Guangdong's. Rows leave only after the beginning is on record.")
	s.line("%s  →  %s %s", p.requester, s.province(p.provider).region.Chinese, topicName(p.topic))
	want := int64(s.province(p.provider).rows()["market.enterprise_change"])
	r, err := s.take(ctx, c, req, s.folder.path("export", "guangdong-changes.jsonl"), want)
	if err != nil {
		return err
	}
	if r.Rows != want {
		return mustf("%d rows came, the department has %d", r.Rows, want)
	}
	if r.Evidence == nil || !r.Evidence.Pinned {
		return mustf("the export came without evidence")
	}
	s.expect(r.Evidence.Access, c, auditv1.Result_RESULT_ANSWERED, auditv1.Reason_REASON_UNSPECIFIED)
	s.line("%s rows, %s bytes → %s", number(r.Rows), number(r.Bytes), s.folder.path("export", "guangdong-changes.jsonl"))
	s.line("✓ on record before anything left: %s", r.Evidence.Access)
	s.line("✓ its end and the digest over the whole: record %d of %s", r.Evidence.Answer.Index, r.Evidence.Answer.Origin)
	return nil
}

// take exports into a file, which stays only if the whole is proven.
func (s *story) take(ctx context.Context, c *client.Client, req *queryv1.ExportResourceRequest, path string, total int64) (r *client.ExportResult, err error) {
	if err := os.MkdirAll(s.folder.path("export"), 0o700); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("creating the export's file: %w", err)
	}
	bar := s.cfg.progress(total, "exporting")
	defer bar.Finish()
	rows := int64(0)
	r, err = c.Export(ctx, req, func(data []byte, n int64) error {
		rows += n
		bar.At(rows)
		_, err := f.Write(data)
		return err
	})
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return r, nil
}
