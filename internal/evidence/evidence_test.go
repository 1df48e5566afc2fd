package evidence_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/translog"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// TestVectors holds the package comment to the code: other implementations are written from it.
func TestVectors(t *testing.T) {
	salt, err := hex.DecodeString("000102030405060708090a0b0c0d0e0f")
	if err != nil {
		t.Fatal(err)
	}
	comment, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	parameters := map[string]string{"id_number": "51010018800101001X", "since": "1890-01-01"}
	for _, v := range []struct {
		name   string
		digest []byte
		want   string
	}{
		{"parameters", evidence.ParametersDigest(salt, parameters), "5051088f4d3e5aa00050bf6d7bb318e8d990dadf4de38ed9e38775f3a13bf0c1"},
		{"no parameters", evidence.ParametersDigest(salt, nil), "9bd0b4654d9755944168028fb002b44d46d140a95043f192c009aa831c2c8616"},
		{"answer", evidence.AnswerDigest(salt, "application/json", []byte(`{"rows":[]}`)), "f3924ce145186fce24813fc1464a846dfdb58a024d4920df2e7e0a33b42e7974"},
	} {
		if got := hex.EncodeToString(v.digest); got != v.want {
			t.Errorf("%s: digest is %s, want %s", v.name, got, v.want)
		}
		if !strings.Contains(string(comment), v.want) {
			t.Errorf("%s: the package comment lacks %s", v.name, v.want)
		}
	}
}

// TestDigestBinds shows that everything that goes into a digest changes it, the places where one thing ends and the next begins included.
func TestDigestBinds(t *testing.T) {
	salt := evidence.NewSalt()
	seen := map[string]string{}
	for name, digest := range map[string][]byte{
		"none":          evidence.ParametersDigest(salt, nil),
		"a=b":           evidence.ParametersDigest(salt, map[string]string{"a": "b"}),
		"ab=":           evidence.ParametersDigest(salt, map[string]string{"ab": ""}),
		"=ab":           evidence.ParametersDigest(salt, map[string]string{"": "ab"}),
		"a=, b=":        evidence.ParametersDigest(salt, map[string]string{"a": "", "b": ""}),
		"a=b, b=a":      evidence.ParametersDigest(salt, map[string]string{"a": "b", "b": "a"}),
		"a=a, b=b":      evidence.ParametersDigest(salt, map[string]string{"a": "a", "b": "b"}),
		"other salt":    evidence.ParametersDigest(evidence.NewSalt(), map[string]string{"a": "b"}),
		"answer":        evidence.AnswerDigest(salt, "a", []byte("b")),
		"longer type":   evidence.AnswerDigest(salt, "ab", nil),
		"no type":       evidence.AnswerDigest(salt, "", []byte("ab")),
		"answer's salt": evidence.AnswerDigest(evidence.NewSalt(), "a", []byte("b")),
	} {
		if other, ok := seen[string(digest)]; ok {
			t.Errorf("%q and %q have one digest", name, other)
		}
		seen[string(digest)] = name
	}
	h := evidence.AnswerHash(salt, "a")
	h.Write([]byte("b"))
	if !bytes.Equal(h.Sum(nil), evidence.AnswerDigest(salt, "a", []byte("b"))) {
		t.Error("an answer in pieces has another digest than the whole")
	}
}

func intent() *auditv1.Record {
	r := evidence.NewRecord(time.Now())
	r.Kind = &auditv1.Record_Intent{Intent: &auditv1.Intent{
		Caller: &auditv1.Caller{SpiffeId: "spiffe://zhejiang.example/app/portal"}, Verdict: auditv1.Verdict_VERDICT_PERMITTED,
		Purpose: &grantv1.Purpose{Code: "loan", LegalBasis: grantv1.LegalBasis_LEGAL_BASIS_CONSENT},
	}}
	return r
}

// TestDecodeRecord refuses what a reader could not fully understand.
func TestDecodeRecord(t *testing.T) {
	extra := protowire.AppendVarint(protowire.AppendTag(nil, 77, protowire.VarintType), 1)
	for _, c := range []struct {
		name   string
		change func(*auditv1.Record)
		more   []byte
		ok     bool
	}{
		{name: "as it is", change: func(*auditv1.Record) {}, ok: true},
		{name: "no salt", change: func(r *auditv1.Record) { r.Salt = nil }},
		{name: "short salt", change: func(r *auditv1.Record) { r.Salt = r.Salt[1:] }},
		{name: "no time", change: func(r *auditv1.Record) { r.Time = nil }},
		{name: "no such time", change: func(r *auditv1.Record) { r.Time = &timestamppb.Timestamp{Nanos: -1} }},
		{name: "no kind", change: func(r *auditv1.Record) { r.Kind = nil }},
		{name: "unknown verdict", change: func(r *auditv1.Record) { r.GetIntent().Verdict = 9 }},
		{name: "unknown reason", change: func(r *auditv1.Record) { r.GetIntent().Reason = 9999 }},
		{name: "unknown legal basis", change: func(r *auditv1.Record) { r.GetIntent().Purpose.LegalBasis = 99 }},
		{name: "unknown field", change: func(*auditv1.Record) {}, more: extra},
		{name: "unknown field of the intent", change: func(r *auditv1.Record) { r.GetIntent().ProtoReflect().SetUnknown(extra) }},
		{name: "unknown field of the caller", change: func(r *auditv1.Record) { r.GetIntent().Caller.ProtoReflect().SetUnknown(extra) }},
		{name: "unknown field of the purpose", change: func(r *auditv1.Record) { r.GetIntent().Purpose.ProtoReflect().SetUnknown(extra) }},
		{name: "half a field", change: func(*auditv1.Record) {}, more: []byte{0x0a}},
		{name: "too large", change: func(r *auditv1.Record) {
			r.GetIntent().Operator = strings.Repeat("o", evidence.MaxRecordSize)
		}},
	} {
		r := intent()
		c.change(r)
		b, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := evidence.DecodeRecord(append(b, c.more...))
		if c.ok != (err == nil) || !c.ok && !errors.Is(err, evidence.ErrRecord) || c.ok && !proto.Equal(got, r) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	if _, err := evidence.EncodeRecord(&auditv1.Record{Salt: make([]byte, evidence.MaxRecordSize)}); !errors.Is(err, evidence.ErrRecord) {
		t.Errorf("encoding a record that is too large: %v", err)
	}
}

// TestRecordShape fails when somebody adds a list or a map of messages or enums to a record: the search for what a version does not know
// must learn to look into it first.
func TestRecordShape(t *testing.T) {
	seen := map[protoreflect.FullName]bool{}
	var walk func(protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			if f.Kind() != protoreflect.MessageKind && f.Kind() != protoreflect.EnumKind {
				continue
			}
			if f.Cardinality() == protoreflect.Repeated {
				t.Errorf("%s is a list or a map", f.FullName())
			}
			if f.Kind() == protoreflect.MessageKind {
				walk(f.Message())
			}
		}
	}
	walk((&auditv1.Record{}).ProtoReflect().Descriptor())
}

// FuzzDecodeRecord reads arbitrary bytes: what is accepted is understood, and says the same when it is written again.
func FuzzDecodeRecord(f *testing.F) {
	b, err := evidence.EncodeRecord(intent())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add(append(bytes.Clone(b), b...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := evidence.DecodeRecord(b)
		if err != nil {
			if !errors.Is(err, evidence.ErrRecord) {
				t.Errorf("error is not ErrRecord: %v", err)
			}
			return
		}
		again, err := evidence.EncodeRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := evidence.DecodeRecord(again)
		if err != nil || !proto.Equal(r, back) {
			t.Errorf("written and read again it is another: %v", err)
		}
	})
}

// TestReceipt verifies a receipt and refuses it with any byte changed.
func TestReceipt(t *testing.T) {
	signerKey, verifierKey, err := translog.GenerateKey("exchange.example/access")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := translog.NewSigner(signerKey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := translog.NewVerifier(verifierKey)
	if err != nil {
		t.Fatal(err)
	}
	record, err := evidence.EncodeRecord(intent())
	if err != nil {
		t.Fatal(err)
	}
	leaves := []translog.Hash{translog.LeafHash([]byte("a")), translog.LeafHash(record), translog.LeafHash([]byte("c"))}
	span := translog.NewSpan(translog.Edge{}, leaves)
	checkpoint, err := translog.SignCheckpoint(translog.Checkpoint{Origin: verifier.Name(), Size: span.Size(), Root: span.Root()}, signer)
	if err != nil {
		t.Fatal(err)
	}
	path, err := span.Inclusion(1)
	if err != nil {
		t.Fatal(err)
	}
	whole := evidence.NewReceipt(record, 1, path, checkpoint)
	proven, err := evidence.VerifyReceipt(whole, verifier)
	if err != nil || proven.Index != 1 || proven.Leaf != leaves[1] || proven.Checkpoint.Size != 3 {
		t.Fatalf("the receipt as it is: %v, %v", proven, err)
	}
	refused := func(name string, r *auditv1.Receipt) {
		t.Helper()
		if _, err := evidence.VerifyReceipt(r, verifier); !errors.Is(err, evidence.ErrReceipt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused("none", nil)
	refused("empty", &auditv1.Receipt{})
	for _, get := range []func(*auditv1.Receipt) []byte{
		(*auditv1.Receipt).GetRecord, (*auditv1.Receipt).GetCheckpoint,
		func(r *auditv1.Receipt) []byte { return r.GetInclusionHashes()[0] }, func(r *auditv1.Receipt) []byte { return r.GetInclusionHashes()[1] },
	} {
		for i := range get(whole) {
			r := proto.CloneOf(whole)
			get(r)[i] ^= 1
			refused("a byte changed", r)
		}
	}
	for _, index := range []int64{-1, 0, 2, 3, 1 << 62} {
		r := proto.CloneOf(whole)
		r.Index = index
		refused("another index", r)
	}
	r := proto.CloneOf(whole)
	r.InclusionHashes = r.InclusionHashes[:1]
	refused("a hash too few", r)

	hash := leaves[1]
	honest := &auditv1.Answer{IntentHash: hash[:], IntentIndex: 1, ExchangeOrigin: verifier.Name(), AnswerDigest: []byte("d")}
	if err := evidence.CheckAnswer(proven, honest, []byte("d")); err != nil {
		t.Errorf("an honest answer: %v", err)
	}
	for name, change := range map[string]func(*auditv1.Answer){
		"intent": func(a *auditv1.Answer) { a.IntentHash = make([]byte, 32) },
		"index":  func(a *auditv1.Answer) { a.IntentIndex = 2 },
		"log":    func(a *auditv1.Answer) { a.ExchangeOrigin = "other" },
		"digest": func(a *auditv1.Answer) { a.AnswerDigest = []byte("e") },
	} {
		a := proto.CloneOf(honest)
		change(a)
		if err := evidence.CheckAnswer(proven, a, []byte("d")); !errors.Is(err, evidence.ErrReceipt) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if err := evidence.CheckAnswer(proven, nil, nil); !errors.Is(err, evidence.ErrReceipt) {
		t.Errorf("no answer: %v", err)
	}
}
