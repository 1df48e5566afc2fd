package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/cmd/kuasheng/demo"
	"github.com/kuasheng/kuasheng/cmd/kuasheng/demo/dataset"
)

// demoMemory is what the four servers and the scenario together should stay below, so that the demo runs beside everything else on a small
// machine. Go only collects harder as it comes near; nothing fails.
const demoMemory = 220 << 20

func newDemoCommand() *cobra.Command {
	var cfg demo.Config
	cmd := &cobra.Command{
		Use:   "demo [--once] [--dir DIRECTORY]",
		Short: "Run an exchange and three provinces on this machine, and watch what happens",
		Long: `Starts an exchange and the nodes of Henan 河南, Zhejiang 浙江 and Guangdong 广东 on 127.0.0.1, each province with its own authority and with
synthetic people in SQLite files, and plays a scenario that checks itself: the provinces publish and grant, applications ask and verify what they get,
six questions are refused, a bulk export, the access log as an auditor sees it, both logs verified, a forged copy found out.

Then it shows commands to paste (grpcurl, curl, kuasheng) and keeps everything up until Ctrl-C. It needs nothing but this program.

With --dir everything is kept for another start. The folder then holds demo.json for scripts:
  version                     1
  grpc, rest                  where the exchange serves: host:port, https://host:port
  people, enterprises         how many were made for each province
  exchange                    id, config, bundle, log_key, log_dir
  provinces.<name>            region, name_zh, name_en, domain, config, bundle, journal_key, journal_dir,
                              resources (topic to name), people and enterprises (ten that are there), rows of each table
  parties.<owner/role/name>   id, svid, key, and profile for "kuasheng --profile"; renewed while the demo runs
  refused.expired, .forged    id, svid, key of SVIDs that must be refused
  grants.<name>               name, resource, requester, fields, purpose, item
  questions.<grant>           party, resource, body (the request as JSON, for grpcurl and curl), params (for --param-file)
It is complete when the commands are shown, or with --once at the end. All file names in it are absolute. The folder holds private keys.

Exit status: 0 only if every step behaved.`,
		Example: `  kuasheng demo
  kuasheng demo --once
  kuasheng demo --dir demo --port 7443`,
		// -once and -dir, as Go's own tools write flags, are taken as well. Pflag would read them as -o -n -c -e, so they are put right before it
		// sees them.
		DisableFlagParsing: true,
		Args:               cobra.ArbitraryArgs,
	}
	flags := cmd.Flags()
	flags.BoolVar(&cfg.Once, "once", false, "end after the scenario")
	flags.StringVar(&cfg.Dir, "dir", "", "folder to keep everything in, and to start from again (default: a temporary one)")
	flags.IntVar(&cfg.People, "people", 12000, "synthetic people of each province, 10 at least; counts at the first start in a folder")
	flags.IntVar(&cfg.Enterprises, "enterprises", 1200, "made-up enterprises of each province, 10 at least; counts at the first start in a folder")
	flags.IntVar(&cfg.Port, "port", 0, "port for gRPC; REST has the next one (default: those of the last start in the folder, or free ones)")
	flags.BoolP("help", "h", false, "help for demo")
	cmd.ValidArgsFunction = completeDemo
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := flags.Parse(longFlags(args)); err != nil {
			return asUsage(err)
		}
		if help, _ := flags.GetBool("help"); help {
			return cmd.Help()
		}
		if flags.NArg() > 0 {
			return usagef("demo takes no arguments, only flags: %q", flags.Arg(0))
		}
		if cfg.Port < 0 || cfg.Port > 65534 {
			return usagef("--port %d: it is from 1 to 65534", cfg.Port)
		}
		if os.Getenv("GOMEMLIMIT") == "" {
			debug.SetMemoryLimit(demoMemory)
		}
		cfg.Program, cfg.Out = program(), cmd.OutOrStdout()
		cfg.Progress = func(total int64, what string) demo.Progress {
			b := newBar(cmd.ErrOrStderr(), total, what, false)
			return demo.Progress{At: b.at, Finish: b.finish}
		}
		switch err := demo.Run(cmd.Context(), cfg); {
		case errors.Is(err, dataset.ErrSize):
			return asUsage(err)
		case errors.Is(err, demo.ErrStep):
			return hinted{err, "this should not happen: keep the folder with its server.log, and report it"}
		default:
			return err
		}
	}
	return cmd
}

// longFlags writes -once as --once. A single letter stays: -h.
func longFlags(args []string) []string {
	long := make([]string, len(args))
	for i, a := range args {
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && len(a) > 2 {
			a = "-" + a
		}
		long[i] = a
	}
	return long
}

// completeDemo completes the flags, which cobra leaves alone where it does not parse them.
func completeDemo(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if n := len(args); n > 0 && strings.TrimLeft(args[n-1], "-") == "dir" {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	var list []string
	for _, name := range []string{"once", "dir", "people", "enterprises", "port", "help"} {
		if strings.HasPrefix("--"+name, longFlags([]string{prefix})[0]) {
			list = append(list, "--"+name+"\t"+cmd.Flags().Lookup(name).Usage)
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// program is how people called this program: "go run" leaves it in a folder that is gone afterwards.
func program() string {
	path, err := os.Executable()
	if err != nil || strings.Contains(path, "go-build") {
		return "go run ./cmd/kuasheng"
	}
	return fmt.Sprintf("%q", path)
}
