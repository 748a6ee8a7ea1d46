// The mark to reach: the same job on Go's net/http and nothing else (1.19 or newer).
//
//	go build -o go_reference main.go && ./go_reference
package main

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

var (
	genesysURL   = os.Getenv("GENESYS_URL")
	clientID     = os.Getenv("GENESYS_CLIENT_ID")
	clientSecret = os.Getenv("GENESYS_CLIENT_SECRET")
	apiKey       = []byte(os.Getenv("API_KEY"))
	uuid         = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	client       = newClient()
	tokens       tokenCache
)

func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Two idle connections for each host, the default, would mean a new connection for nearly every call.
	transport.MaxIdleConns = 0
	transport.MaxIdleConnsPerHost = 1024
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

type tokenCache struct {
	mutex   sync.Mutex
	value   string
	expires time.Time
}

func (cache *tokenCache) get() (string, error) {
	cache.mutex.Lock()
	defer cache.mutex.Unlock()
	if time.Now().Before(cache.expires) {
		return cache.value, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	request, err := http.NewRequest("POST", genesysURL+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.SetBasicAuth(clientID, clientSecret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := send(request, &answer); err != nil {
		return "", err
	}
	cache.value = answer.AccessToken
	cache.expires = time.Now().Add(time.Duration(answer.ExpiresIn-60) * time.Second)
	return cache.value, nil
}

func send(request *http.Request, answer any) error {
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", request.Method, request.URL.Path, response.Status)
	}
	return json.Unmarshal(body, answer)
}

func call(method, path string, content, answer any) error {
	token, err := tokens.get()
	if err != nil {
		return err
	}
	var body io.Reader
	if content != nil {
		encoded, err := json.Marshal(content)
		if err != nil {
			return err
		}
		body = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, genesysURL+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	return send(request, answer)
}

type started struct {
	Success           bool   `json:"success"`
	ConversationID    string `json:"conversationId"`
	CobrowseSessionID string `json:"cobrowseSessionId"`
	JoinURL           string `json:"joinUrl"`
	Verified          bool   `json:"verified"`
}

func start(conversation string) (started, error) {
	path := "/api/v2/conversations/" + conversation
	var session struct{ ID, JoinURL string }
	if err := call("POST", "/api/v2/cobrowse/sessions", struct{}{}, &session); err != nil {
		return started{}, err
	}
	if session.ID == "" {
		return started{}, errors.New("the created session has no id")
	}
	var attached struct{ ID string }
	medium := map[string]string{"type": "cobrowse", "cobrowseSessionId": session.ID}
	if err := call("POST", path+"/media", medium, &attached); err != nil {
		return started{}, err
	}
	var shown struct {
		Media []struct {
			CobrowseSessionID string `json:"cobrowseSessionId"`
		} `json:"media"`
	}
	if err := call("GET", path, nil, &shown); err != nil {
		return started{}, err
	}
	answer := started{true, conversation, session.ID, session.JoinURL, false}
	for _, medium := range shown.Media {
		answer.Verified = answer.Verified || medium.CobrowseSessionID == session.ID
	}
	return answer, nil
}

func handle(response http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		http.Error(response, "POST only", http.StatusMethodNotAllowed)
		return
	}
	if subtle.ConstantTimeCompare([]byte(request.Header.Get("X-Api-Key")), apiKey) != 1 {
		http.Error(response, "wrong key", http.StatusUnauthorized)
		return
	}
	var wish struct {
		ConversationID string `json:"conversationId"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(response, request.Body, 1<<16)).Decode(&wish); err != nil {
		http.Error(response, "not JSON", http.StatusBadRequest)
		return
	}
	if !uuid.MatchString(wish.ConversationID) {
		http.Error(response, "conversationId: not a UUID", http.StatusUnprocessableEntity)
		return
	}
	answer, err := start(wish.ConversationID)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadGateway)
		return
	}
	response.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(response).Encode(answer); err != nil {
		log.Print(err)
	}
}

func main() {
	http.HandleFunc("/cobrowse", handle)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
