package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/accesslog"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// auditService shows the access log. A look at it goes on record before the answer leaves; a refused one is recorded like any other refusal.
type auditService struct {
	auditv1.UnimplementedAuditServiceServer
	log *accesslog.Log
}

func newAuditService(log *accesslog.Log) *auditService { return &auditService{log: log} }

// visible is the filter that holds a caller to what it may see. Whoever is not known to be entitled sees nothing.
func visible(c Caller) (accesslog.Filter, error) {
	switch {
	case c.Member == nil: // an empty region would admit everything
	case c.ID.Role == certs.RoleApplication:
		return accesslog.Filter{Self: c.ID.String()}, nil
	case c.ID.Role == certs.RoleAuditor && slices.Contains(c.Member.GetRoles(), registryv1.MemberRole_MEMBER_ROLE_NATIONAL_AUDIT):
		return accesslog.Filter{}, nil
	case c.ID.Role == certs.RoleAuditor && c.Region() != "":
		return accesslog.Filter{Region: c.Region()}, nil
	}
	return accesslog.Filter{}, refusal.New(auditv1.Reason_REASON_NOT_ENTITLED, "the access log is for auditors and applications of members")
}

// GetAccess reads one access with its proof.
func (s *auditService) GetAccess(ctx context.Context, req *auditv1.GetAccessRequest) (*auditv1.Access, error) {
	caller := callerFrom(ctx)
	seen, err := visible(caller)
	if err != nil {
		return nil, err
	}
	access, err := s.find(ctx, req.GetName(), seen)
	if err != nil {
		return nil, err
	}
	out := accessProto(access)
	if out.Receipt, out.OutcomeReceipt, err = s.log.Receipts(access); err != nil {
		return nil, fmt.Errorf("reading %s: %w", out.GetName(), err)
	}
	if err := s.record(ctx, caller, auditv1.AuditService_GetAccess_FullMethodName, out.GetName(), 1); err != nil {
		return nil, err
	}
	return out, nil
}

// find reads an access that the caller may see. One that it may not see is not told apart from one that does not exist.
func (s *auditService) find(ctx context.Context, name string, seen accesslog.Filter) (accesslog.Access, error) {
	id, ok := strings.CutPrefix(name, "accesses/")
	index, err := strconv.ParseInt(id, 10, 64)
	if !ok || err != nil || strconv.FormatInt(index, 10) != id {
		return accesslog.Access{}, refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "name", "an access is named accesses/ and a number")
	}
	access, err := s.log.Access(ctx, index)
	if err != nil && !errors.Is(err, accesslog.ErrNotFound) {
		return accesslog.Access{}, err
	}
	if err != nil || !seen.Admits(access) {
		return accesslog.Access{}, refusal.New(auditv1.Reason_REASON_NOT_FOUND, "there is no such access, or it is none of yours")
	}
	return access, nil
}

// ListAccesses lists accesses, newest first.
func (s *auditService) ListAccesses(ctx context.Context, req *auditv1.ListAccessesRequest) (*auditv1.ListAccessesResponse, error) {
	caller := callerFrom(ctx)
	filter, err := visible(caller)
	if err != nil {
		return nil, err
	}
	if err := narrow(&filter, req); err != nil {
		return nil, err
	}
	list := accessList(caller, filter)
	cursor, err := pageCursor(req.GetPageToken(), list...)
	if err != nil {
		return nil, err
	}
	from, err := accessPosition(cursor)
	if err != nil {
		return nil, err
	}
	accesses, next, treeSize, err := s.log.List(ctx, filter, pageSize(req.GetPageSize()), from)
	if errors.Is(err, accesslog.ErrPosition) {
		return nil, errAccessPosition()
	}
	if err != nil {
		return nil, err
	}
	out := &auditv1.ListAccessesResponse{NextPageToken: pageToken(accessCursor(next), list...), TreeSize: treeSize}
	for _, a := range accesses {
		out.Accesses = append(out.Accesses, accessProto(a))
	}
	if err := s.record(ctx, caller, auditv1.AuditService_ListAccesses_FullMethodName, selection(req, from), len(accesses)); err != nil {
		return nil, err
	}
	return out, nil
}

// narrow adds what the request asks for to what the caller may see. Names are checked strictly because they go on record: free text could
// carry an identity number into the log.
func narrow(f *accesslog.Filter, req *auditv1.ListAccessesRequest) error {
	invalid := func(subject, detail string) error {
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, subject, "%s", detail)
	}
	if n := req.GetPageSize(); n < 0 || n > maxPage {
		return invalid("page_size", "want 0 to 1,000")
	}
	for _, arg := range []struct {
		name string
		from *timestamppb.Timestamp
		to   *time.Time
	}{{"start_time", req.GetStartTime(), &f.Start}, {"end_time", req.GetEndTime(), &f.End}} {
		if arg.from == nil {
			continue
		}
		if !arg.from.IsValid() {
			return invalid(arg.name, "it is no valid time")
		}
		*arg.to = arg.from.AsTime()
	}
	if !f.Start.IsZero() && !f.End.IsZero() && !f.Start.Before(f.End) {
		return invalid("end_time", "it is not after start_time")
	}
	if f.Requester = req.GetRequester(); f.Requester != "" {
		if id, err := certs.ParseID(f.Requester); err != nil || id.String() != f.Requester {
			return invalid("requester", "it is not the SPIFFE ID of anybody in the exchange's scheme")
		}
	}
	if f.Resource = req.GetResource(); f.Resource != "" {
		if _, err := ident.ParseResourceName(f.Resource); err != nil {
			return invalid("resource", "want provinces/{region}/resources/{code}")
		}
	}
	for name, text := range map[string]string{"requester": f.Requester, "resource": f.Resource} {
		if ident.ContainsCitizenID(text) {
			return refusal.About(auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT, name, "it holds what looks like a citizen identity number, which must not go on record")
		}
	}
	return nil
}

// selection is the filter of a list as it stands on record.
func selection(req *auditv1.ListAccessesRequest, from accesslog.Position) string {
	var parts []string
	add := func(name, value string) { parts = append(parts, name+"="+value) }
	if t := req.GetStartTime(); t != nil {
		add("start_time", t.AsTime().Format(time.RFC3339Nano))
	}
	if t := req.GetEndTime(); t != nil {
		add("end_time", t.AsTime().Format(time.RFC3339Nano))
	}
	if req.GetRequester() != "" {
		add("requester", req.GetRequester())
	}
	if req.GetResource() != "" {
		add("resource", req.GetResource())
	}
	if from != (accesslog.Position{}) {
		add("before", strconv.FormatInt(from.Before, 10))
	}
	return strings.Join(parts, " ")
}

// record puts a look at the log on record: without it nothing may be shown.
func (s *auditService) record(ctx context.Context, caller Caller, method, selection string, returned int) error {
	_, err := s.log.Read(ctx, &auditv1.AuditRead{
		Caller: caller.Record(), Method: method, Verdict: auditv1.Verdict_VERDICT_PERMITTED,
		Selection: selection, Returned: int32(returned),
	})
	if err != nil {
		return fmt.Errorf("recording a read of the access log: %w", err)
	}
	return nil
}

func accessProto(a accesslog.Access) *auditv1.Access {
	return &auditv1.Access{
		Name:        "accesses/" + strconv.FormatInt(a.Index, 10),
		Record:      a.Record,
		Outcome:     a.Outcome.GetOutcome(),
		OutcomeTime: a.Outcome.GetTime(),
	}
}

// GetCheckpoint reads the log's present checkpoint. It is not on record, like the proofs: they reveal no access.
func (s *auditService) GetCheckpoint(context.Context, *auditv1.GetCheckpointRequest) (*auditv1.GetCheckpointResponse, error) {
	return &auditv1.GetCheckpointResponse{Checkpoint: s.log.Checkpoint()}, nil
}

// GetInclusionProof proves that the leaf at an index is in the tree of a size.
func (s *auditService) GetInclusionProof(_ context.Context, req *auditv1.GetInclusionProofRequest) (*auditv1.GetInclusionProofResponse, error) {
	index, size := req.GetIndex(), req.GetTreeSize()
	if err := s.checkSize("tree_size", size); err != nil {
		return nil, err
	}
	if index < 0 || index >= size {
		return nil, refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "index", "a tree of %d leaves has none with this index", size)
	}
	path, err := s.log.Inclusion(index, size)
	if err != nil {
		return nil, fmt.Errorf("proving inclusion: %w", err)
	}
	leaf, err := s.log.Node(0, index)
	if err != nil {
		return nil, fmt.Errorf("proving inclusion: %w", err)
	}
	return &auditv1.GetInclusionProofResponse{Hashes: evidence.HashesToBytes(path), LeafHash: leaf[:]}, nil
}

// GetConsistencyProof proves that the tree of one size is a prefix of that of another.
func (s *auditService) GetConsistencyProof(_ context.Context, req *auditv1.GetConsistencyProofRequest) (*auditv1.GetConsistencyProofResponse, error) {
	if err := s.checkSize("new_size", req.GetNewSize()); err != nil {
		return nil, err
	}
	if req.GetOldSize() < 1 || req.GetOldSize() > req.GetNewSize() {
		return nil, refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, "old_size", "want 1 to new_size")
	}
	proof, err := s.log.Consistency(req.GetOldSize(), req.GetNewSize())
	if err != nil {
		return nil, fmt.Errorf("proving consistency: %w", err)
	}
	return &auditv1.GetConsistencyProofResponse{Hashes: evidence.HashesToBytes(proof)}, nil
}

func (s *auditService) checkSize(subject string, size int64) error {
	if have := s.log.Size(); size < 1 || size > have {
		return refusal.About(auditv1.Reason_REASON_ARGUMENT_INVALID, subject, "the log has %d records", have)
	}
	return nil
}
