package segment

import "github.com/kuasheng/kuasheng/internal/translog"

// State returns the last durable commit's signed checkpoint and its edge, which belong together: asked for one by one,
// a commit could come between.
func (l *Log) State() (checkpoint []byte, edge translog.Edge) {
	s := l.state.Load()
	return s.checkpoint, s.edge.Clone()
}
