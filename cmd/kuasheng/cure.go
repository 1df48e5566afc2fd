package main

import auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"

// lookUp is the cure where data may have left although no answer came: asking again blindly would have it leave twice.
const lookUp = "data may have left the province: look at the access's outcome (\"kuasheng audit get\", or \"kuasheng audit list\" to find it) before asking again"

// cure says in English what a refused caller can do next; the Chinese message that comes with the refusal says it in Chinese. It is empty for what
// only the other side can mend; docs/errors.md has all of them at length.
func cure(r auditv1.Reason) string {
	switch r {
	case auditv1.Reason_REASON_CLIENT_CERTIFICATE_MISSING, auditv1.Reason_REASON_CLIENT_CERTIFICATE_EXPIRED,
		auditv1.Reason_REASON_CLIENT_CERTIFICATE_UNTRUSTED, auditv1.Reason_REASON_SPIFFE_ID_INVALID:
		return "look at your SVID with \"kuasheng certs show\" and have a fresh one issued; the exchange must know your authority's bundle"
	case auditv1.Reason_REASON_MEMBER_UNKNOWN, auditv1.Reason_REASON_MEMBER_SUSPENDED:
		return "ask the exchange's administrator; see \"kuasheng member get\""
	case auditv1.Reason_REASON_ROLE_NOT_ALLOWED, auditv1.Reason_REASON_NOT_ENTITLED:
		return "call with another identity: applications query, operators publish and grant, auditors read the log, administrators keep members"
	case auditv1.Reason_REASON_PARAMETER_UNKNOWN, auditv1.Reason_REASON_PARAMETER_MISSING, auditv1.Reason_REASON_PARAMETER_INVALID,
		auditv1.Reason_REASON_FIELD_UNKNOWN:
		return "see the resource's fields and parameters with \"kuasheng catalogue get\""
	case auditv1.Reason_REASON_ARGUMENT_INVALID, auditv1.Reason_REASON_MESSAGE_MALFORMED, auditv1.Reason_REASON_RULE_VIOLATED:
		return "correct what is named above and try again"
	case auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT:
		return "take the identity number out of case, cause and the like: these go on record; it belongs into a parameter"
	case auditv1.Reason_REASON_NOT_FOUND:
		return "check the name, and that you may know of it"
	case auditv1.Reason_REASON_ALREADY_EXISTS:
		return "update what is there, or choose another name"
	case auditv1.Reason_REASON_ETAG_MISMATCH:
		return "somebody else changed it: read it again, then repeat the change"
	case auditv1.Reason_REASON_NO_GRANT, auditv1.Reason_REASON_GRANT_EXPIRED, auditv1.Reason_REASON_GRANT_REVOKED,
		auditv1.Reason_REASON_GRANT_NOT_YET_VALID, auditv1.Reason_REASON_FIELD_NOT_GRANTED, auditv1.Reason_REASON_PURPOSE_NOT_GRANTED,
		auditv1.Reason_REASON_ITEM_NOT_GRANTED, auditv1.Reason_REASON_LEGAL_BASIS_NOT_GRANTED:
		return "see what you hold with \"kuasheng grant list\", and ask the providing province for what is missing"
	case auditv1.Reason_REASON_QUOTA_PER_SECOND_EXCEEDED, auditv1.Reason_REASON_NODE_BUSY, auditv1.Reason_REASON_SOURCE_BUSY,
		auditv1.Reason_REASON_OVERLOADED:
		return "ask more slowly, and try again"
	case auditv1.Reason_REASON_REFUSALS_EXCEEDED:
		return "stop repeating what is refused: correct the reason named first, then ask again"
	case auditv1.Reason_REASON_QUOTA_PER_DAY_EXCEEDED:
		return "try again tomorrow (China time), or ask the providing province for a larger quota"
	case auditv1.Reason_REASON_TOO_MANY_ROWS, auditv1.Reason_REASON_ANSWER_TOO_LARGE:
		return "narrow the question, or use \"kuasheng query export\""
	case auditv1.Reason_REASON_MODE_NOT_OFFERED:
		return "see the resource's share mode with \"kuasheng catalogue get\"; an export that cannot be resumed begins anew, without --resume"
	case auditv1.Reason_REASON_NODE_LOST, auditv1.Reason_REASON_CALLER_GONE:
		return lookUp
	case auditv1.Reason_REASON_NODE_NOT_ATTACHED, auditv1.Reason_REASON_SOURCE_UNAVAILABLE,
		auditv1.Reason_REASON_SOURCE_TIMEOUT, auditv1.Reason_REASON_RESOURCE_NOT_SERVED,
		auditv1.Reason_REASON_MAPPING_BROKEN, auditv1.Reason_REASON_NODE_EVIDENCE_INVALID:
		return "the providing province must mend this: tell it the access record, and try again later"
	case auditv1.Reason_REASON_POLICY_DENIED:
		return "the province's own policy says no: ask the province"
	case auditv1.Reason_REASON_DEADLINE_EXCEEDED:
		return lookUp + "; or give it longer with --timeout"
	case auditv1.Reason_REASON_LOG_UNAVAILABLE, auditv1.Reason_REASON_SHUTTING_DOWN, auditv1.Reason_REASON_INTERNAL:
		return "try again in a moment; if it stays, tell the exchange's operator"
	default:
		return ""
	}
}
