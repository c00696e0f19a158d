package ui

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// The draft is edited in the operator's own editor, by way of a file that only
// they can read and that is gone afterwards. Without an editor it is edited in a
// form. While the editor has the terminal the console stands still beneath it.

// longestDraft bounds what is read back from an editor, in bytes.
const longestDraft = 64 << 10

type (
	editMsg struct {
		folder string
		err    error
	}
	editedMsg struct {
		text string
		err  error
	}
)

// env is a variable of the terminal's environment.
func (o *Options) env(name string) string {
	if o.Terminal.Environ == nil {
		return os.Getenv(name)
	}
	value := ""
	for _, one := range o.Terminal.Environ {
		if v, ok := strings.CutPrefix(one, name+"="); ok {
			value = v
		}
	}
	return value
}

// credentials are the variables that hold secrets of what warroom reads. An editor
// needs none of them, and its plugins and the shells that it opens are not ours.
var credentials = []string{
	"VAULT_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "PGPASSWORD",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN",
}

// withoutCredentials is the environment for a program that is none of ours.
func (o *Options) withoutCredentials() []string {
	env := o.Terminal.Environ
	if env == nil {
		env = os.Environ()
	}
	return slices.DeleteFunc(slices.Clone(env), func(one string) bool {
		name, _, _ := strings.Cut(one, "=")
		return slices.Contains(credentials, name) || slices.Contains(o.Credentials, name)
	})
}

// editor is the command that edits a file; empty when none is named.
func (m *Model) editor() []string {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if words := strings.Fields(m.opt.env(name)); len(words) > 0 {
			return words
		}
	}
	return nil
}

// editDraft edits the draft.
func editDraft(m *Model) tea.Cmd {
	if m.editor() == nil {
		return m.editForm()
	}
	text := m.opt.scrub(m.draft.text)
	return m.guard.command("preparing the draft for the editor", func() tea.Msg {
		folder, err := os.MkdirTemp("", "warroom-update-") // 0700
		if err == nil {
			err = os.WriteFile(draftFile(folder), []byte(text+"\n"), 0o600)
		}
		return editMsg{folder, err}
	})
}

func draftFile(folder string) string { return filepath.Join(folder, "status-update.txt") }

// edit hands the terminal to the editor.
func (m *Model) edit(msg editMsg) tea.Cmd {
	words := m.editor()
	if msg.err != nil || words == nil {
		m.say(fmt.Sprintf("the draft cannot be given to an editor: %s", plain(fmt.Sprint(msg.err))))
		return m.editForm()
	}
	// Also when the console ends while the editor is open.
	stop := context.AfterFunc(m.pump.ctx, func() { _ = os.RemoveAll(msg.folder) })
	cmd := exec.Command(words[0], append(words[1:], draftFile(msg.folder))...)
	cmd.Env = m.opt.withoutCredentials()
	return tea.ExecProcess(cmd, func(err error) tea.Msg {
		defer func() { stop(); _ = os.RemoveAll(msg.folder) }()
		if err != nil {
			return editedMsg{err: fmt.Errorf("%s ended with %w; the draft is as it was", words[0], err)}
		}
		text, err := readDraft(draftFile(msg.folder))
		return editedMsg{text, err}
	})
}

func readDraft(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("read the edited draft: %w", err)
	case info.Size() > longestDraft:
		return "", fmt.Errorf("the edited draft has %d bytes, more than %d; the draft is as it was", info.Size(), longestDraft)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the edited draft: %w", err)
	}
	return strings.ToValidUTF8(string(data), "?"), nil
}

// edited takes the draft back from the editor.
func (m *Model) edited(msg editedMsg) {
	if msg.err != nil {
		m.say(plain(msg.err.Error()))
		return
	}
	m.change(msg.text)
	m.say("the draft is as you left it in the editor; w sends it, y copies it")
}

// editForm edits the draft in a form.
func (m *Model) editForm() tea.Cmd {
	text := &field{label: "Update", hint: "what the bridge is told", most: mostText, multiline: true, required: "an update says something"}
	text.set(m.draft.text)
	return m.fill(&form{title: "Status update", button: "Keep", fields: []*field{text},
		body: []string{"Tab leaves the text. $EDITOR is used when it is set."},
		submit: func(m *Model, _ *form) (tea.Cmd, error) {
			m.change(text.text())
			return nil, nil
		}})
}
