package pgsim

// parser walks the tokens of one statement.
type parser struct {
	session *session
	tokens  []token
	i       int
}

func (p *parser) peek() (token, bool) {
	if p.i < len(p.tokens) {
		return p.tokens[p.i], true
	}
	return token{}, false
}

// next returns the next token and goes past it.
func (p *parser) next() (token, bool) {
	t, ok := p.peek()
	p.i++
	return t, ok
}

// accept goes past the words or symbols, if they come next.
func (p *parser) accept(words ...string) bool {
	for i, w := range words {
		if p.i+i >= len(p.tokens) || !p.tokens[p.i+i].is(w) {
			return false
		}
	}
	p.i += len(words)
	return true
}

func (p *parser) done() bool { return p.i >= len(p.tokens) }

// unexpected is a syntax error at a token.
func (p *parser) unexpected(t token) *failure {
	return problem("42601", "syntax error at or near %q", bounded(t.raw)).at(t.pos).from("scan.l", "scanner_yyerror")
}

// stuck is a syntax error where the parser stands.
func (p *parser) stuck() *failure {
	if t, ok := p.peek(); ok {
		return p.unexpected(t)
	}
	last := p.tokens[len(p.tokens)-1]
	return problem("42601", "syntax error at end of input").at(last.pos+len([]rune(last.raw))).from("scan.l", "scanner_yyerror")
}
