package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// invokeAction is the one action that calling an HTTP API takes.
const invokeAction = "execute-api:Invoke"

// User is who signs with an access key.
type User struct {
	// ARN is told to functions as userArn.
	ARN string
	// Secret is the secret access key. Session is the token of temporary
	// credentials, if they are.
	Secret, Session string
	// Policies are what the user may; what no policy allows is refused.
	Policies []Policy
}

// Policy is an IAM policy of statements that allow.
type Policy []Statement

// Statement allows actions on resources; in both * is any text and ? any
// character.
type Statement struct {
	Actions, Resources []string
}

// Allows says whether the policy lets its owner call execute-api:Invoke on
// that ARN.
func (p Policy) Allows(arn string) bool {
	for _, s := range p {
		if anyLike(s.Actions, invokeAction) && anyLike(s.Resources, arn) {
			return true
		}
	}
	return false
}

func anyLike(patterns []string, text string) bool {
	for _, p := range patterns {
		if like(p, text) {
			return true
		}
	}
	return false
}

// like matches IAM's wildcards. It goes back to the last * only, so it takes
// len(pattern) x len(text) steps at most.
func like(pattern, text string) bool {
	p, t, star, from := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// iamCaller is requestContext.authorizer.iam.
type iamCaller struct {
	AccessKey       string  `json:"accessKey"`
	Account         string  `json:"accountId"`
	CallerID        string  `json:"callerId"`
	CognitoIdentity *string `json:"cognitoIdentity"`
	Organization    *string `json:"principalOrgId"`
	UserARN         string  `json:"userArn"`
	UserID          string  `json:"userId"`
}

// RouteARN is what a policy allows or does not: one call of this API. path is
// the decoded path, without the stage.
func (g *Gateway) RouteARN(method, path string) string {
	return fmt.Sprintf("arn:aws:execute-api:%s:%s:%s/%s/%s%s", g.o.Region, g.o.Account, g.o.API, g.o.Stage, method, path)
}

// authorize finds out who calls, and whether they may.
func (g *Gateway) authorize(r *http.Request, body []byte, route *Route, path string) (*authorizer, error) {
	switch route.Auth {
	case IAM:
		key, err := g.verify(r, body)
		if err != nil {
			return nil, refuse(http.StatusForbidden, "Forbidden", err)
		}
		user := g.o.Users[key]
		arn := g.RouteARN(r.Method, path)
		for _, p := range user.Policies {
			if p.Allows(arn) {
				id := "AIDA" + key
				return &authorizer{IAM: &iamCaller{AccessKey: key, Account: g.o.Account, CallerID: id, UserARN: user.ARN, UserID: id}}, nil
			}
		}
		return nil, refuse(http.StatusForbidden, "Forbidden", fmt.Errorf("%s may not invoke %s", user.ARN, arn))
	case JWT:
		if g.o.Issuer == nil {
			return nil, errors.New("a route with JWT and no issuer")
		}
		caller, err := g.o.Issuer.judge(r.Header.Get("Authorization"), route.Scopes, g.o.Now())
		if err != nil {
			return nil, err
		}
		return &authorizer{JWT: caller}, nil
	}
	return nil, nil
}
