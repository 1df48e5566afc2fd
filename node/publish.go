package node

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
// left the file. The file is the source of truth for what a node serves; only an operator's withdrawal stands above it.
type publisher struct {
	logger *slog.Logger

	// mu owns all below: while the node attaches anew, the old stream's run is still ending.
	mu      sync.Mutex
	held    map[string]bool // names of entries that an operator has withdrawn and that the log has been told of
	file    *config.Node
	changed chan struct{} // closed and replaced when the file changes
}

func newPublisher(file *config.Node, logger *slog.Logger) *publisher {
	return &publisher{file: file, logger: logger, changed: make(chan struct{}), held: map[string]bool{}}
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
	before, err := entries(ctx, api, file.Region)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, r := range file.Resources {
		entry, err := entryOf(file, r)
		if err != nil {
			return err
		}
		kept[entry.GetName()] = true
		after, err := api.PublishResource(ctx, &cataloguev1.PublishResourceRequest{Resource: entry})
		if refused, _, _, ok := refusal.FromStatus(err); ok && permanent(refused) {
			p.logger.Error("the exchange refuses a catalogue entry; correct the file", "resource", r.Code, "line", r.At.Line, "reason", refusal.Name(refused.Reason), "detail", refused.Detail)
			continue
		}
		if err != nil {
			return fmt.Errorf("publishing %s: %w", r.Code, err) // the link is broken or the exchange in trouble: later
		}
		p.tell(before[entry.GetName()], after)
	}
	return p.withdraw(ctx, api, before, kept)
}

// tell logs what publishing an entry changed, and once that it changed nothing because an operator has withdrawn the entry.
func (p *publisher) tell(before, after *cataloguev1.Resource) {
	name := after.GetName()
	withdrawn := after.GetState() == cataloguev1.ResourceState_RESOURCE_STATE_WITHDRAWN
	p.mu.Lock()
	told := p.held[name]
	p.held[name] = withdrawn
	p.mu.Unlock()
	switch {
	case withdrawn && !told:
		p.logger.Warn("an operator has withdrawn a catalogue entry of the file; it stays withdrawn until an operator publishes it or the entry changes",
			"resource", after.GetCode(), "revision", after.GetRevision())
	case !withdrawn && after.GetRevision() != before.GetRevision():
		p.logger.Info("published a catalogue entry", "resource", after.GetCode(), "revision", after.GetRevision())
	}
}

// permanent reports whether trying again is of no use before the file has changed.
func permanent(r *refusal.Error) bool {
	switch refusal.Code(r.Reason).String() {
	case "InvalidArgument", "FailedPrecondition", "PermissionDenied":
		return true
	}
	return false
}

// entriesPage keeps a page of the largest usual entries, some tens of kilobytes each, below what the link takes in one message.
const entriesPage = 100

// entries are all of the province, withdrawn ones too, by name.
func entries(ctx context.Context, api cataloguev1.CatalogueServiceClient, region string) (map[string]*cataloguev1.Resource, error) {
	all := map[string]*cataloguev1.Resource{}
	for token := ""; ; {
		page, err := api.ListResources(ctx, &cataloguev1.ListResourcesRequest{
			Parent: "provinces/" + region, PageSize: entriesPage, PageToken: token, ShowWithdrawn: true,
		})
		if err != nil {
			return nil, fmt.Errorf("listing the province's entries: %w", err)
		}
		for _, r := range page.GetResources() {
			all[r.GetName()] = r
		}
		if token = page.GetNextPageToken(); token == "" {
			return all, nil
		}
	}
}

// withdraw takes out what the province has published and the file no longer holds.
func (p *publisher) withdraw(ctx context.Context, api cataloguev1.CatalogueServiceClient, before map[string]*cataloguev1.Resource, kept map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		r := before[name]
		if kept[name] || r.GetState() == cataloguev1.ResourceState_RESOURCE_STATE_WITHDRAWN {
			continue
		}
		if _, err := api.WithdrawResource(ctx, &cataloguev1.WithdrawResourceRequest{Name: name}); err != nil {
			return fmt.Errorf("withdrawing %s: %w", r.GetCode(), err)
		}
		p.logger.Info("withdrew a catalogue entry that left the file", "resource", r.GetCode())
	}
	return nil
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
