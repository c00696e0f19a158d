package journal

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agentTime is how long an agent may take for one answer. An agent asks nobody: a
// record must not wait for a person.
const agentTime = 5 * time.Second

// agentSigner has ssh-agent sign. It connects for each signature, so that an agent
// that was restarted is found again.
type agentSigner struct {
	key    ssh.PublicKey
	public string
	socket string
}

// agentKey is a signer for a public key whose private half an agent has.
func agentKey(path, content string) (Signer, error) {
	key, public, err := parseKey(content)
	if err != nil {
		return nil, fmt.Errorf("reading the operator's key %s: it holds neither a private key nor a public one: %w", path, err)
	}
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, fmt.Errorf("%s is a public key, and there is no agent that could sign (SSH_AUTH_SOCK is not set): start ssh-agent, or name the private key", path)
	}
	signer := &agentSigner{key: key, public: public, socket: socket}
	err = signer.ask(func(a agent.ExtendedAgent) error {
		keys, err := a.List()
		if err != nil {
			return err
		}
		for _, k := range keys {
			if bytes.Equal(k.Marshal(), key.Marshal()) {
				return nil
			}
		}
		return errors.New("it does not have this key: run ssh-add with its private half")
	})
	if err != nil {
		return nil, fmt.Errorf("having ssh-agent sign with %s: %w", path, err)
	}
	return signer, nil
}

func (s *agentSigner) Public() string { return s.public }

func (s *agentSigner) Sign(data []byte) (blob []byte, err error) {
	err = s.ask(func(a agent.ExtendedAgent) error {
		var flags agent.SignatureFlags
		if s.key.Type() == ssh.KeyAlgoRSA {
			flags = agent.SignatureFlagRsaSha512
		}
		signature, err := a.SignWithFlags(s.key, data, flags)
		if err == nil {
			blob = ssh.Marshal(signature)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ssh-agent at %s: %w", s.socket, err)
	}
	return blob, nil
}

// ask does one thing with the agent, within agentTime.
func (s *agentSigner) ask(do func(agent.ExtendedAgent) error) error {
	conn, err := net.DialTimeout("unix", s.socket, agentTime)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(agentTime)); err != nil {
		return err
	}
	return do(agent.NewClient(conn))
}
