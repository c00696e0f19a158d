package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"warroom/internal/archive"
	"warroom/internal/journal"
)

func newIncidentVerifyCommand() *cobra.Command {
	var asJSON bool
	var head, keys string
	cmd := &cobra.Command{
		Use:   "verify ID",
		Short: "Check an incident's journal: chain, signatures, head",
		Long: "Check every record of an incident's journal: its place in the chain, its signature, and that the end was not cut off.\n" +
			"--head holds it against a head that was noted elsewhere: a status update carries the one of its time as its last line, and\n" +
			"warroom incident show prints the newest. The hash alone will do. --keys holds it against the keys that may sign.\n" +
			"It ends with 0 when the journal is whole, and with 1 when it is not: the first bad record is named.",
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := verifyOptions(head, keys)
			if err != nil {
				return err
			}
			store, err := openStore(archive.Options{})
			if err != nil {
				return err
			}
			id, err := store.Resolve(cmd.Context(), args[0])
			if err != nil {
				return failed(err)
			}
			folder, err := store.Folder(id)
			if err != nil {
				return failed(err)
			}
			found, bad := journal.Verify(folder, options)
			if found == nil {
				return failed(fmt.Errorf("verify incident %s: %w", id, bad))
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), verifyDocument(id, folder, found, bad))
			} else {
				err = writeVerify(cmd.OutOrStdout(), id, folder, found)
			}
			if bad != nil {
				err = errors.Join(failed(fmt.Errorf("incident %s is NOT whole: %w", id, bad)), err)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the document "+incidentVerifySchema)
	cmd.Flags().StringVar(&head, "head", "", "a head noted elsewhere, as `SEQ:HASH` or the hash alone: the journal must hold it")
	cmd.Flags().StringVar(&keys, "keys", "", "a `FILE` of public keys as in authorized_keys: only these may have signed")
	return cmd
}

// verifyOptions reads what a journal is held against.
func verifyOptions(head, keys string) (journal.VerifyOptions, error) {
	var o journal.VerifyOptions
	if head != "" {
		noted, err := journal.ParseHead(head)
		if err != nil {
			return o, usage(fmt.Errorf("--head: %w", err))
		}
		o.Head = &noted
	}
	if keys != "" {
		text, err := os.ReadFile(keys)
		if err != nil {
			return o, usage(fmt.Errorf("--keys: %w", err))
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				o.Keys = append(o.Keys, line)
			}
		}
		if len(o.Keys) == 0 {
			return o, usage(fmt.Errorf("--keys: %s holds no key: it is a line each, as in authorized_keys", keys))
		}
	}
	return o, nil
}

// writeVerify prints what was verified. The verdict of a bad one is its error.
func writeVerify(out io.Writer, id, folder string, v *journal.Verification) error {
	var text bytes.Buffer
	if len(v.Faults) == 0 {
		fmt.Fprintf(&text, "incident %s is whole: %s in %s, every signature checked\n", id, count(int(v.Records), "record"), count(v.Segments, "file"))
	}
	fmt.Fprintf(&text, "folder  %s\njournal %s\nhead    %s\n", folder, v.Journal, v.Head)
	for _, s := range v.Signers {
		fmt.Fprintf(&text, "signed  %s by %s", count(int(s.Records), "record"), s.Fingerprint)
		if s.Records > 0 {
			fmt.Fprintf(&text, ", %d to %d", s.First, s.Last)
		}
		fmt.Fprintln(&text)
	}
	for _, n := range v.Notes {
		fmt.Fprintf(&text, "note    %s\n", line(n))
	}
	for i := range v.Faults {
		fmt.Fprintf(&text, "BAD     %s\n", line(v.Faults[i].Error()))
	}
	return printText(out, text.String())
}

// verifyDocument is the document of warroom incident verify --json.
func verifyDocument(id, folder string, v *journal.Verification, bad error) any {
	doc := struct {
		Schema string `json:"schema"`
		ID     string `json:"id"`
		Folder string `json:"folder"`
		Whole  bool   `json:"whole"`
		Head   string `json:"head"`
		*journal.Verification
	}{incidentVerifySchema, id, folder, bad == nil, v.Head.String(), v}
	return doc
}
