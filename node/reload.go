package node

import (
	"context"
	"crypto/sha256"
	"os"
	"time"

	"github.com/kuasheng/kuasheng/node/config"
)

// watch puts a changed file into force: sources, policy and published entries. A file with mistakes changes nothing and is reported once. Where the
// node is and who it is (region, replica, identity, exchange, data_dir) takes a restart.
func (n *Node) watch(ctx context.Context) {
	last := fileDigest(n.cfg.File.File)
	tick := time.NewTicker(watchTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if now := fileDigest(n.cfg.File.File); now != last && now != ([sha256.Size]byte{}) {
			last = now
			n.reload(ctx)
		}
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

func (n *Node) reload(ctx context.Context) {
	file, err := config.Load(n.cfg.File.File)
	if err != nil {
		n.logger.Error("changed file has mistakes and is not used; `node check` lists them", "file", n.cfg.File.File, "error", err)
		return
	}
	if moved(n.cfg.File, file) {
		n.logger.Error("region, replica, data_dir, identity and exchange take a restart; the changed file is not used", "file", file.File)
		return
	}
	next, err := openServing(ctx, file, n.logger)
	if err != nil {
		n.logger.Error("changed file cannot be served and is not used", "file", file.File, "error", err)
		return
	}
	old := n.serving.Swap(next)
	n.publisher.set(file)
	n.logger.Info("changed file is in force", "file", file.File, "resources", len(file.Resources))
	// Queries under way finish on the old sources first; new ones already use the new.
	old.sources.Close()
}

func moved(a, b *config.Node) bool {
	if a.Region != b.Region || a.Replica != b.Replica || a.DataDir != b.DataDir || a.Exchange.ID != b.Exchange.ID || a.Exchange.LogKey != b.Exchange.LogKey {
		return true
	}
	return a.Identity.SVID != b.Identity.SVID || a.Identity.Key != b.Identity.Key || a.Identity.WorkloadAPI != b.Identity.WorkloadAPI ||
		a.Policy.TicketAge != b.Policy.TicketAge || a.JournalKey != b.JournalKey
}
