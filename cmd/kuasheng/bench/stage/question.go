package stage

import (
	"fmt"
	"strings"

	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"google.golang.org/protobuf/proto"
)

const (
	// people is how many the database holds: more than fit the caches that sit close to a processor, few enough to be written in a moment.
	people = 10_000
	// questions is how many different ones the callers take turns with.
	questions = 1024
	// requestBytes is what a question of the national platform's size takes on the wire.
	requestBytes = 400

	provider     = "410000"
	resourceCode = "307410000001/000001"
	resourceName = "provinces/" + provider + "/resources/307410000001-000001"
	purposeCode  = "housing-loan-review"
	serviceItem  = "11510000MB0D00512U2000117005001"
)

// fields are all that the resource has.
func fields() []string {
	return []string{"account_no", "name", "unit_name", "balance", "monthly_deposit", "opened", "last_month", "remark"}
}

// Requests are the questions that a stage's system answers: each about another person, each of the same size.
func Requests() ([]*queryv1.QueryResourceRequest, error) {
	all := make([]*queryv1.QueryResourceRequest, questions)
	for i := range all {
		person, err := personID(i * (people / questions))
		if err != nil {
			return nil, err
		}
		req := &queryv1.QueryResourceRequest{
			Resource: resourceName, Fields: fields(), Parameters: map[string]string{"id_number": person}, Operator: "clerk-17",
			RequestId: fmt.Sprintf("bench-%06d", i),
			Purpose: &grantv1.Purpose{
				Code: purposeCode, LegalBasis: grantv1.LegalBasis_LEGAL_BASIS_STATUTORY_DUTY, ServiceItem: serviceItem, CaseNumber: "HZ-2026-000123", Cause: "公积金异地贷款审核",
			},
		}
		// The wording of a cause is free, so that it fills up what is missing; its own length takes a few bytes as well.
		cause := req.Purpose.Cause
		for n := requestBytes - proto.Size(req); n > 0 && (req.Purpose.Cause == cause || proto.Size(req) > requestBytes); n-- {
			req.Purpose.Cause = cause + strings.Repeat(".", n)
		}
		all[i] = req
	}
	return all, nil
}

// personID is the identity number of a synthetic person, with a birth that nobody alive can have.
func personID(i int) (string, error) {
	const days, perDay = 28, 999
	n, day := i%perDay+1, i/perDay%days+1
	first17 := fmt.Sprintf("%s187003%02d%03d", provider, day, n)
	check, err := ident.CitizenIDCheck(first17)
	if err != nil {
		return "", fmt.Errorf("numbering a synthetic person: %w", err)
	}
	return first17 + string(check), nil
}

// SampleAnswer is an answer of the size that a stage's system gives, for a plain server that stands for nobody.
func SampleAnswer() []byte {
	const answerBytes, frame = 800, `{"rows":[{"remark":""}]}`
	return []byte(`{"rows":[{"remark":"` + strings.Repeat(".", answerBytes-len(frame)) + `"}]}`)
}
