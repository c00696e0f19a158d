package drill

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"warroom/internal/drill/awssim"
)

// readAhead is how long the ordinary readers go on after the world was opened:
// their reads are stated beforehand, and told when their time has come.
const readAhead = 12 * time.Hour

// consumers are who reads which secret as their work is, and how often.
var consumers = []struct {
	secret, role, agent string
	hosts               int
	every               time.Duration
}{
	{"prod/db/postgres", "external-secrets", "external-secrets", 1, 15 * time.Minute},
	{"prod/db/postgres", "user-service", "aws-sdk-java/2.25.11", 4, 10 * time.Minute},
	{"prod/db/analytics", "external-secrets", "external-secrets", 1, 15 * time.Minute},
	{"prod/db/analytics", "analytics-service", "Boto3/1.40.2", 2, 20 * time.Minute},
	{"prod/db/monitoring", "database-monitor", "aws-sdk-go-v2/1.39.0", 1, 20 * time.Minute},
	{"prod/api/external", "integrations", "aws-sdk-js/3.600.0", 2, 20 * time.Minute},
	{"prod/api/payment", "external-secrets", "external-secrets", 1, 15 * time.Minute},
	{"prod/api/payment", "payment-service", "aws-sdk-java/2.25.11", 3, 15 * time.Minute},
	{"prod/edge/gateway-token", "edge-probe", "aws-sdk-go-v2/1.39.0", 1, 20 * time.Minute},
}

// makeReaders states who read secrets: those who always do, and the rotation
// function with each attempt.
func (e *estate) makeReaders() {
	for n, c := range consumers {
		draw := e.source("reads of " + c.secret + " by " + c.role)
		for host := range c.hosts {
			by := session(c.role, fmt.Sprintf("%s-%d", c.role, host+1))
			from := fmt.Sprintf("10.20.%d.%d", 10+n, 20+host)
			first := e.ago(2 * time.Hour).Add(time.Duration(draw.IntN(int(c.every/time.Second))) * time.Second)
			for at := first; at.Before(e.began.Add(readAhead)); at = at.Add(c.every) {
				e.value(at, c.secret, by, from, c.agent, "")
			}
		}
	}
	e.value(e.ago(50*time.Minute), "prod/db/postgres", session(functionName, functionName), "10.20.4.17", "Boto3/1.40.2", "")
	// Somebody looked into the wrong drawer, and was refused.
	e.value(e.ago(35*time.Minute), "prod/db/postgres", session("cost-reporting", "monthly"), "10.20.9.4", "aws-sdk-go-v2/1.39.0", "AccessDenied")
}

// value states that somebody asked for the value of a secret.
func (e *estate) value(at time.Time, secret, by, from, agent, refused string) {
	s, ok := e.aws.Secret(secret)
	if !ok {
		return
	}
	event := awssim.Event{
		At: at, Source: "secretsmanager.amazonaws.com", Name: "GetSecretValue", ReadOnly: true, Principal: by, From: from, Agent: agent,
		Request: map[string]any{"secretId": secret}, Resources: []awssim.EventResource{{Type: "AWS::SecretsManager::Secret", Name: s.ARN}}, Code: refused,
	}
	if refused != "" {
		event.Message = "User: " + by + " is not authorized to perform: secretsmanager:GetSecretValue on resource: " + secret
	}
	e.aws.AddEvent(event)
}

// stranger is the address from which the payment key is read in compromised-key:
// it is of a range that is kept for documentation.
const stranger = "203.0.113.77"

// strangerRead are when the stranger read it, before the world was opened, and
// strangerAgain how often he comes back.
var strangerRead = []time.Duration{26 * time.Minute, 18 * time.Minute, 9 * time.Minute}

const strangerAgain = 20 * time.Minute

// compromisedKey is db-rotation in which, besides, a stranger reads the payment
// key. He has the credentials of a session of the payment service: only the
// address is not one of its own.
var compromisedKey = scenario{
	Scenario: Scenario{
		Name:  "compromised-key",
		Title: "API key read by a stranger",
		Summary: "Somebody reads prod/api/payment with the payment service's own role from an address that is none of its own. " +
			"The failed rotation of db-rotation draws all attention meanwhile.",
		Alert: 3 * time.Minute,
	},
	servers: dbRotation.servers,
	config: func(w *World) []byte {
		return []byte(strings.Replace(string(rotationConfig(w)), "drill: "+dbRotation.Name+"\n", "drill: compromised-key\n", 1))
	},
	build: func(w *World) error {
		e, err := makeRotation(w)
		if err != nil {
			return err
		}
		e.makeStranger()
		return nil
	},
	env: rotationEnv,
	examples: func(w *World) []string {
		return slices.Concat([]string{
			"aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=GetSecretValue --max-items 20",
			"aws cloudtrail lookup-events --lookup-attributes AttributeKey=Username,AttributeValue=payment-service-2 --max-items 5",
		}, dbRotation.examples(w))
	},
}

// makeStranger states what the stranger read, and will read.
func (e *estate) makeStranger() {
	by := session("payment-service", "payment-service-2")
	read := func(at time.Time) {
		e.value(at, "prod/api/payment", by, stranger, "aws-cli/2.15.30", "")
	}
	for _, ago := range strangerRead {
		read(e.ago(ago))
	}
	for at := e.began.Add(strangerAgain); at.Before(e.began.Add(readAhead)); at = at.Add(strangerAgain) {
		read(at)
	}
	// The next door did not open.
	e.value(e.ago(8*time.Minute), "prod/db/postgres", by, stranger, "aws-cli/2.15.30", "AccessDenied")
}
