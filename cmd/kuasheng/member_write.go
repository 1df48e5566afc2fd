package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/kuasheng/kuasheng/exchange/client"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// maxBundle is the protocol's own bound.
const maxBundle = 64 << 10

// memberFlags are the flags that describe a member.
type memberFlags struct {
	uscc, zh, en, trustDomain, bundle, etag string
	keys, moreKeys, roles                   []string
}

func (f *memberFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.uscc, "uscc", "", "unified social credit code of the bureau")
	flags.StringVar(&f.zh, "name-zh", "", "name in Chinese")
	flags.StringVar(&f.en, "name-en", "", "name in English")
	// Not --bundle, which on every command is the file with the exchange's own authorities.
	flags.StringVar(&f.bundle, "member-bundle", "", "file with the authorities (PEM) of the member's trust domain")
	flags.StringArrayVar(&f.keys, "journal-key", nil, "verifier key of a journal that the member's nodes write; may be repeated")
	flags.StringSliceVar(&f.roles, "role", nil, "what it may do: provider, requester, national-audit; may be repeated")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(enumNames("MEMBER_ROLE_", registryv1.MemberRole_value), cobra.ShellCompDirectiveNoFileComp)))
}

// member builds what the flags say.
func (f *memberFlags) member(name string) (*registryv1.Member, error) {
	m := &registryv1.Member{
		Name: name, Uscc: f.uscc, DisplayNameZh: f.zh, DisplayNameEn: f.en, TrustDomain: f.trustDomain, Etag: f.etag,
	}
	if f.bundle != "" {
		pem, err := readBounded(f.bundle, nil, maxBundle)
		if err != nil {
			return nil, err
		}
		m.BundlePem = string(pem)
	}
	var err error
	if m.JournalKeys, err = journalKeys(f.keys); err != nil {
		return nil, err
	}
	for _, r := range f.roles {
		n, err := enumValue(r, "MEMBER_ROLE_", registryv1.MemberRole_value)
		if err != nil {
			return nil, fmt.Errorf("--role: %w", err)
		}
		m.Roles = append(m.Roles, registryv1.MemberRole(n))
	}
	return m, nil
}

// journalKeys checks keys here, where the mistake was made.
func journalKeys(keys []string) ([]*registryv1.JournalKey, error) {
	var out []*registryv1.JournalKey
	for _, k := range keys {
		if _, err := translog.NewVerifier(k); err != nil {
			return nil, usagef("--journal-key: %w; it is printed by \"node init\" and starts with the journal's name", err)
		}
		out = append(out, &registryv1.JournalKey{VerifierKey: k})
	}
	return out, nil
}

func newMemberCreateCommand(conn *connection) *cobra.Command {
	f := &memberFlags{}
	cmd := &cobra.Command{
		Use:   "create REGION --uscc USCC --name-zh NAME --name-en NAME --trust-domain DOMAIN --member-bundle FILE",
		Short: "Register a province",
		Long: `Registers a province by its region code (GB/T 2260). For administrators.

The bundle decides who can speak for the province, and the journal keys decide which answers count as its own: take both from the bureau
by hand, not from a network. The trust domain can never be changed.`,
		Example: `  kuasheng member create 410000 --uscc 11410000MB0D00416U --name-zh 河南省行政审批和政务信息管理局 --name-en "Henan data bureau" \
    --trust-domain henan.example --member-bundle henan.pem --journal-key "henan.example/journal/1+…" --role provider --role requester`,
		Args: cobra.ExactArgs(1),
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.trustDomain, "trust-domain", "", "SPIFFE trust domain, such as henan.example")
	requireFlags(cmd, "uscc", "name-zh", "name-en", "trust-domain", "member-bundle")
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, err := f.member(memberName(args[0]))
		if err != nil {
			return err
		}
		return conn.with(cmd, false, func(c *client.Client) error {
			m, err := c.Registry().CreateMember(cmd.Context(), &registryv1.CreateMemberRequest{Member: m})
			if err != nil {
				return fmt.Errorf("registering a member: %w", err)
			}
			return show(cmd.OutOrStdout(), *output, m, memberDetail(m))
		})
	}
	return cmd
}

func newMemberUpdateCommand(conn *connection) *cobra.Command {
	f := &memberFlags{}
	cmd := &cobra.Command{
		Use:   "update REGION [flags]",
		Short: "Change a member: names, bundle, journal keys, roles",
		Long: `Changes what the flags name and nothing else. For administrators. --journal-key and --role replace the whole list; --add-journal-key adds to
it, as for a new replica of the member's node or before a key is replaced.

The change is refused if somebody else changed the member in the meantime.`,
		Example: `  kuasheng member update 410000 --add-journal-key "henan.example/journal/2+…"
  kuasheng member update 410000 --member-bundle henan-new.pem`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: conn.completeMembers,
	}
	f.register(cmd)
	cmd.Flags().StringArrayVar(&f.moreKeys, "add-journal-key", nil, "verifier key to add; may be repeated")
	cmd.Flags().StringVar(&f.etag, "etag", "", "change only this version, as shown by get; the present one if not given")
	cmd.MarkFlagsMutuallyExclusive("journal-key", "add-journal-key")
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, err := f.member(memberName(args[0]))
		if err != nil {
			return err
		}
		added, err := journalKeys(f.moreKeys)
		if err != nil {
			return err
		}
		mask := f.changed(cmd)
		if len(mask) == 0 {
			return usagef("nothing to change: name at least one flag")
		}
		return conn.with(cmd, false, func(c *client.Client) error {
			if err := f.base(cmd, c, m, added); err != nil {
				return err
			}
			m, err := c.Registry().UpdateMember(cmd.Context(), &registryv1.UpdateMemberRequest{Member: m, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}})
			if err != nil {
				return fmt.Errorf("changing a member: %w", err)
			}
			return show(cmd.OutOrStdout(), *output, m, memberDetail(m))
		})
	}
	return cmd
}

// changed is the update mask that the flags make.
func (f *memberFlags) changed(cmd *cobra.Command) []string {
	var mask []string
	for _, field := range []struct {
		path  string
		flags []string
	}{
		{"uscc", []string{"uscc"}},
		{"display_name_zh", []string{"name-zh"}},
		{"display_name_en", []string{"name-en"}},
		{"bundle_pem", []string{"member-bundle"}},
		{"journal_keys", []string{"journal-key", "add-journal-key"}},
		{"roles", []string{"role"}},
	} {
		for _, flag := range field.flags {
			if cmd.Flags().Changed(flag) {
				mask = append(mask, field.path)
			}
		}
	}
	return mask
}

// base reads the member where the change builds on it: for its etag, and for the keys that others are added to.
func (f *memberFlags) base(cmd *cobra.Command, c *client.Client, m *registryv1.Member, added []*registryv1.JournalKey) error {
	if f.etag != "" && len(added) == 0 {
		return nil
	}
	old, err := c.Registry().GetMember(cmd.Context(), &registryv1.GetMemberRequest{Name: m.GetName()})
	if err != nil {
		return fmt.Errorf("reading a member: %w", err)
	}
	if f.etag == "" {
		m.Etag = old.GetEtag()
	}
	if len(added) > 0 {
		m.JournalKeys = append(old.GetJournalKeys(), added...)
	}
	return nil
}
