package node

import (
	"context"
	"crypto/sha256"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/kuasheng/kuasheng/node/config"
)

// watch puts a changed file into force: sources, resources and policy. A file with mistakes changes nothing and is reported once. What takes a
// restart keeps its running value, and never holds up a veto that stands in the same file.
func (n *Node) watch(ctx context.Context) {
	last, inForce := n.digest, true
	tick := time.NewTicker(watchTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := fileDigest(n.cfg.File.File)
		unreadable := now == [sha256.Size]byte{}
		if now != last && !unreadable {
			last = now
			inForce = n.reload(ctx)
		}
		n.current.Store(inForce && !unreadable)
	}
}

// fileDigest is zero for a file that cannot be read: an editor may be writing it just now.
func fileDigest(path string) [sha256.Size]byte {
	b, err := os.ReadFile(path)
	if err != nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(b)
}

// reload reports whether all that the file says is in force afterwards.
func (n *Node) reload(ctx context.Context) bool {
	file, err := config.Load(n.cfg.File.File)
	if err != nil {
		n.logger.Error("changed file has mistakes and is not used; `node check` lists them", "file", n.cfg.File.File, "error", err)
		return false
	}
	waiting := keepRunning(n.cfg.File, file)
	old := n.serving.Load()
	next, err := openServing(ctx, file, old.policy.With(file.Policy), n.logger)
	if err != nil {
		n.logger.Error("changed file cannot be served and is not used", "file", file.File, "error", err)
		return false
	}
	n.serving.Store(next)
	n.publisher.set(file)
	if len(waiting) > 0 {
		n.logger.Error("these keys of the changed file wait for a restart; sources, resources, deny and mask are in force", "file", file.File, "keys", waiting)
	} else {
		n.logger.Info("changed file is in force", "file", file.File, "resources", len(file.Resources))
	}
	// Queries under way finish on the old sources first; new ones already use the new.
	old.sources.Close()
	return len(waiting) == 0
}

// keepRunning gives next the running values of all that takes a restart, and names the keys that differed.
func keepRunning(running, next *config.Node) []string {
	var waiting []string
	keep(&waiting, "region", &next.Region, running.Region)
	keep(&waiting, "replica", &next.Replica, running.Replica)
	keep(&waiting, "data_dir", &next.DataDir, running.DataDir)
	keep(&waiting, "journal_key", &next.JournalKey, running.JournalKey)
	keep(&waiting, "identity.svid", &next.Identity.SVID, running.Identity.SVID)
	keep(&waiting, "identity.key", &next.Identity.Key, running.Identity.Key)
	if !maps.Equal(running.Identity.Bundles, next.Identity.Bundles) {
		waiting, next.Identity.Bundles = append(waiting, "identity.bundles"), running.Identity.Bundles
	}
	keep(&waiting, "identity.workload_api", &next.Identity.WorkloadAPI, running.Identity.WorkloadAPI)
	keep(&waiting, "exchange.id", &next.Exchange.ID, running.Exchange.ID)
	if !slices.Equal(running.Exchange.Addresses, next.Exchange.Addresses) {
		waiting, next.Exchange.Addresses = append(waiting, "exchange.addresses"), running.Exchange.Addresses
	}
	keep(&waiting, "exchange.log_key", &next.Exchange.LogKey, running.Exchange.LogKey)
	keep(&waiting, "listen.metrics", &next.Metrics, running.Metrics)
	keep(&waiting, "policy.pseudonym_key", &next.Policy.PseudonymKey, running.Policy.PseudonymKey)
	keep(&waiting, "policy.ticket_age", &next.Policy.TicketAge, running.Policy.TicketAge)
	return waiting
}

func keep[T comparable](waiting *[]string, key string, next *T, running T) {
	if *next != running {
		*waiting, *next = append(*waiting, key), running
	}
}
