package state

import "strings"

// Key names one value. Keys are ASCII and order as their bytes do.
//
//	key                                       value                                   written by
//	identity                                  format version and trust domain         Create, once
//	revision                                  revision of the last change             every block of changes
//	member/{region}                           registryv1.Member                       member
//	member-set                                revision guard, empty                   member, with every change of any member
//	resource/{region}/{class}-{sequence}      cataloguev1.Resource                    catalogue
//	grant/{id}                                grantv1.Grant                           grant
//	grant-request/{creator}/{request id}      digest of the request, grant id         grant, together with the grant
//	journal/{origin}                          signed checkpoint, as a note            link, for what it accepted last
//
// The first two belong to this package. All others carry eight bytes before the value, big-endian: the key's revision. Protobuf values are
// encoded deterministically.
type Key string

// Prefixes of keys, for [Store.Subscribe].
const (
	Members   Key = "member/"
	Resources Key = "resource/"
	Grants    Key = "grant/"
)

// MemberSet guards rules that span members, such as the uniqueness of trust domains: every change of a member also writes this key, so
// that of two changes checked against the same members only one can pass.
const MemberSet Key = "member-set"

const (
	identityKey Key = "identity"
	revisionKey Key = "revision"

	grantRequests Key = "grant-request/"
	journals      Key = "journal/"
)

// MemberKey is the key of a member.
func MemberKey(region string) Key { return Members + Key(region) }

// ResourceKey is the key of the catalogue entry with the given name, "provinces/{region}/resources/{id}".
func ResourceKey(name string) Key {
	region, id, _ := strings.Cut(strings.TrimPrefix(name, "provinces/"), "/resources/")
	return Resources + Key(region) + "/" + Key(id)
}

// GrantKey is the key of the grant with the given name, "grants/{id}".
func GrantKey(name string) Key { return Grants + Key(strings.TrimPrefix(name, "grants/")) }

// GrantRequestKey is the key under which a creator's request id is remembered. The creator is part of it: an operator who guesses
// another's request id gets nothing by it.
func GrantRequestKey(creator, requestID string) Key {
	return grantRequests + Key(creator) + "/" + Key(requestID)
}

// reserved reports whether only this package may write the key.
func (k Key) reserved() bool { return k == identityKey || k == revisionKey }

// JournalKey is the key under which the last accepted checkpoint of a node's journal is remembered.
func JournalKey(origin string) Key { return journals + Key(origin) }
