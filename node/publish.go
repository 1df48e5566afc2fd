package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/kuasheng/kuasheng/node/config"
	"google.golang.org/grpc"
)

// publishRetry is how long the node waits before it publishes again after the exchange could not take an entry.
const publishRetry = 5 * time.Second

// publisher keeps the exchange's catalogue as the node's file says: it publishes every entry on attaching and when the file changes, and withdraws what
// left the file. The file is the source of truth for what a node serves.
type publisher struct {
	logger *slog.Logger

	mu      sync.Mutex
	file    *config.Node
	changed chan struct{} // closed and replaced when the file changes
}

func newPublisher(file *config.Node, logger *slog.Logger) *publisher {
	return &publisher{file: file, logger: logger, changed: make(chan struct{})}
}

func (p *publisher) set(file *config.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file = file
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *publisher) get() (*config.Node, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.file, p.changed
}

// run publishes until the stream ends.
func (p *publisher) run(ctx context.Context, conn *grpc.ClientConn) {
	api := cataloguev1.NewCatalogueServiceClient(conn)
	for {
		file, changed := p.get()
		var retry <-chan time.Time
		if err := p.publish(ctx, api, file); err != nil && ctx.Err() == nil {
			p.logger.Error("catalogue entries were not all published", "error", err)
			t := time.NewTimer(publishRetry)
			defer t.Stop()
			retry = t.C
		}
		select {
		case <-changed:
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// publish brings the catalogue up to one version of the file. An entry that the exchange refuses stops no other.
func (p *publisher) publish(ctx context.Context, api cataloguev1.CatalogueServiceClient, file *config.Node) error {
	var errs []error
	kept := map[string]bool{}
	for _, r := range file.Resources {
		entry, err := entryOf(file, r)
		if err != nil {
			return err
		}
		kept[entry.GetName()] = true
		_, err = api.PublishResource(ctx, &cataloguev1.PublishResourceRequest{Resource: entry})
		if refused, _, _, ok := refusal.FromStatus(err); ok && permanent(refused) {
			p.logger.Error("the exchange refuses a catalogue entry; correct the file", "resource", r.Code, "line", r.At.Line, "reason", refusal.Name(refused.Reason), "detail", refused.Detail)
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("publishing %s: %w", r.Code, err))
			break // the link is broken or the exchange in trouble: later
		}
	}
	if len(errs) == 0 {
		errs = append(errs, p.withdraw(ctx, api, file.Region, kept))
	}
	return errors.Join(errs...)
}

// permanent reports whether trying again is of no use before the file has changed.
func permanent(r *refusal.Error) bool {
	switch refusal.Code(r.Reason).String() {
	case "InvalidArgument", "FailedPrecondition", "PermissionDenied":
		return true
	}
	return false
}

// withdraw takes out what the province has published and the file no longer holds.
func (p *publisher) withdraw(ctx context.Context, api cataloguev1.CatalogueServiceClient, region string, kept map[string]bool) error {
	token := ""
	for {
		page, err := api.ListResources(ctx, &cataloguev1.ListResourcesRequest{Parent: "provinces/" + region, PageSize: 1000, PageToken: token})
		if err != nil {
			return fmt.Errorf("listing published entries: %w", err)
		}
		for _, r := range page.GetResources() {
			if kept[r.GetName()] {
				continue
			}
			if _, err := api.WithdrawResource(ctx, &cataloguev1.WithdrawResourceRequest{Name: r.GetName()}); err != nil {
				return fmt.Errorf("withdrawing %s: %w", r.GetCode(), err)
			}
			p.logger.Info("withdrew a catalogue entry that left the file", "resource", r.GetCode())
		}
		if token = page.GetNextPageToken(); token == "" {
			return nil
		}
	}
}

// entryOf turns a resource of the file into a catalogue entry.
func entryOf(file *config.Node, r config.Resource) (*cataloguev1.Resource, error) {
	code, err := ident.ParseResourceCode(r.Code)
	if err != nil {
		return nil, fmt.Errorf("publishing: %w", err)
	}
	e := &cataloguev1.Resource{
		Name: resourceName(file.Region, code), Code: r.Code, Title: text(r.Title), Abstract: text(r.Abstract),
		Provider: &cataloguev1.Department{DisplayName: r.Provider.Name, Uscc: r.Provider.USCC},
		Format:   enum[cataloguev1.Format](cataloguev1.Format_value, "FORMAT_", string(r.Format)),
		Sharing: &cataloguev1.Sharing{
			Type: shareType(r.Share.Type), Condition: r.Share.Condition, Uses: r.Share.Uses,
			Mode:   enum[cataloguev1.ShareMode](cataloguev1.ShareMode_value, "SHARE_MODE_", string(r.Share.Mode)),
			Reason: r.Share.Reason, Law: r.Share.Law,
		},
		Open: r.Open, UpdateCycle: enum[cataloguev1.UpdateCycle](cataloguev1.UpdateCycle_value, "UPDATE_CYCLE_", string(r.UpdateCycle)),
		Grade:            enum[cataloguev1.Grade](cataloguev1.Grade_value, "GRADE_", string(r.Grade)),
		SourceDepartment: r.SourceDepartment, ConditionsOfUse: r.ConditionsOfUse, Related: r.Related, Classification: r.Classification,
	}
	for _, f := range r.Fields {
		e.Fields = append(e.Fields, &cataloguev1.Field{
			Name: f.Name, Title: text(f.Title), Type: fieldType(f.Type), Length: int32(f.Length), Unit: f.Unit, ShareType: shareType(f.Share),
			Open: f.Open, Mask: maskName(f.Mask), Description: f.Description,
		})
	}
	for _, q := range r.Parameters {
		e.Parameters = append(e.Parameters, &cataloguev1.Parameter{
			Name: q.Name, Title: text(q.Title), Type: fieldType(q.Type), Format: string(q.Format), Required: q.Required, Subject: q.Subject,
			MaxLength: int32(q.MaxLength),
		})
	}
	return e, nil
}
