package segment

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/internal/translog"
)

// The environment that turns the test binary into a child that appends until it is killed.
const (
	killDir = "KUASHENG_SEGMENT_KILL_DIR"
	killKey = "KUASHENG_SEGMENT_KILL_KEY"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		if err := appendForever(dir, os.Getenv(killKey)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// killConfig has segments so small that many a kill meets one being prepared.
func killConfig(dir, key string) (Config, error) {
	signer, err := translog.NewSigner(key)
	if err != nil {
		return Config{}, err
	}
	return Config{
		Dir: dir, Origin: testOrigin, Signer: signer, SegmentSize: 64 * page, MaxBlockBytes: 16 * page,
	}, nil
}

// appendForever appends from several goroutines and prints "index seed" for every record acknowledged.
func appendForever(dir, key string) error {
	cfg, err := killConfig(dir, key)
	if err != nil {
		return err
	}
	if cfg.Verifier, err = translog.NewVerifier(os.Getenv(killKey + "_PUBLIC")); err != nil {
		return err
	}
	l, err := Open(cfg)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for err == nil {
				seed := rand.Int64()
				batch, slot, addErr := l.Add(killRecord(seed), nil)
				if addErr != nil {
					return
				}
				<-batch.Done()
				commit, commitErr := batch.Commit()
				if commitErr != nil {
					return
				}
				mu.Lock()
				fmt.Printf("%d %d\n", commit.First+int64(slot), seed)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return l.Err()
}

// killRecord returns a record of 8 to 3000 bytes that follows from its seed.
func killRecord(seed int64) []byte {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	b := strconv.AppendInt(nil, seed, 10)
	for range r.IntN(3000) {
		b = append(b, byte(r.Uint32()))
	}
	return b
}

// TestKill kills a process that appends, at random moments, again and again on the same log. What it had acknowledged
// must be there each time.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	skey, vkey, err := translog.GenerateKey(testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := killConfig(t.TempDir()+"/log", skey)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Verifier, err = translog.NewVerifier(vkey); err != nil {
		t.Fatal(err)
	}
	mustCreate(t, cfg)
	acknowledged := map[int64]int64{} // index → seed
	rounds := 0
	for start := time.Now(); rounds < 10 || time.Since(start) < 4*time.Second && rounds < 40; rounds++ {
		after := time.Duration(rand.Int64N(int64(200 * time.Millisecond)))
		killOnce(t, cfg.Dir, skey, vkey, after, rounds%2 == 0, acknowledged)
		l := mustOpen(t, cfg)
		for index, seed := range acknowledged {
			if index >= l.Size() {
				t.Fatalf("round %d: record %d was acknowledged, the log holds %d", rounds, index, l.Size())
			}
			if rounds%8 == 0 || rand.IntN(50) == 0 {
				if got, err := l.Record(index); err != nil || !bytes.Equal(got, killRecord(seed)) {
					t.Fatalf("round %d: record %d is not what was acknowledged: %v", rounds, index, err)
				}
			}
		}
		mustClose(t, l)
		if report, err := Verify(t.Context(), cfg.Dir, cfg.Verifier, nil); err != nil || report.Records != l.Size() {
			t.Fatalf("round %d: Verify = %+v, %v", rounds, report, err)
		}
	}
	l := mustOpen(t, cfg)
	checkWhole(t, l, nil)
	for index, seed := range acknowledged {
		if got, err := l.Record(index); err != nil || !bytes.Equal(got, killRecord(seed)) {
			t.Fatalf("record %d is not what was acknowledged: %v", index, err)
		}
	}
	t.Logf("%d kills, %d records acknowledged, %d in the log", rounds, len(acknowledged), l.Size())
	if len(acknowledged) == 0 {
		t.Error("nothing was acknowledged: the kills tested nothing")
	}
}

// killOnce runs a child and kills it some time after its start, when it may still be opening, or if running after it
// acknowledged a first record.
func killOnce(t *testing.T, dir, skey, vkey string, after time.Duration, running bool, acknowledged map[int64]int64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), killDir+"="+dir, killKey+"="+skey, killKey+"_PUBLIC="+vkey)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { child.Process.Kill() }
	if !running {
		defer time.AfterFunc(after, kill).Stop()
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // a line cut by the kill was not read whole, and is not taken for an acknowledgement
		}
		var index, seed int64
		if _, err := fmt.Sscanf(line, "%d %d\n", &index, &seed); err != nil {
			t.Fatalf("child printed %q", line)
		}
		if running {
			running = false
			defer time.AfterFunc(after, kill).Stop()
		}
		if old, ok := acknowledged[index]; ok && old != seed {
			t.Fatalf("record %d was acknowledged twice", index)
		}
		acknowledged[index] = seed
	}
	if err := child.Wait(); err != nil && child.ProcessState.Exited() {
		t.Fatalf("child ended by itself: %v", err)
	}
}
