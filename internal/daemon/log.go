package daemon

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
)

// LogFlags say how a server logs.
type LogFlags struct{ format, level string }

// Register adds --log-format and --log-level.
func (f *LogFlags) Register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.format, "log-format", "text", "how log lines on standard error look: text or json")
	cmd.Flags().StringVar(&f.level, "log-level", "info", "least level that is logged: debug, info, warn or error")
}

// Logger returns the logger that the flags ask for.
func (f *LogFlags) Logger(w io.Writer) (*slog.Logger, error) {
	options := &slog.HandlerOptions{}
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.level)); err != nil {
		return nil, Usage(fmt.Errorf("--log-level %q: it is one of debug, info, warn, error", f.level))
	}
	options.Level = level
	switch f.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, Usage(fmt.Errorf("--log-format %q: it is one of text, json", f.format))
}
