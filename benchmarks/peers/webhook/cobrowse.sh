# What adnanh/webhook runs for each request: sh cobrowse.sh CONVERSATION. A script has nowhere to keep a token.
#
#     webhook -hooks hooks.json -template -ip 127.0.0.1 -port 9000
set -eu
conversation=$1

field() {
    sed -n 's/^{.*"'"$1"'":"\([^"]*\)".*/\1/p'
}

genesys() {
    curl -sSf -m 10 -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$@"
}

token=$(curl -sSf -m 10 -u "$GENESYS_CLIENT_ID:$GENESYS_CLIENT_SECRET" -d grant_type=client_credentials \
    "$GENESYS_URL/oauth/token" | field access_token)
created=$(genesys -d '{}' "$GENESYS_URL/api/v2/cobrowse/sessions")
session=$(printf '%s\n' "$created" | field id)
join_url=$(printf '%s\n' "$created" | field joinUrl)
genesys -d "{\"type\":\"cobrowse\",\"cobrowseSessionId\":\"$session\"}" -o /dev/null \
    "$GENESYS_URL/api/v2/conversations/$conversation/media"
case $(genesys "$GENESYS_URL/api/v2/conversations/$conversation") in
    *"\"cobrowseSessionId\":\"$session\""*) verified=true ;;
    *) verified=false ;;
esac
printf '{"success":true,"conversationId":"%s","cobrowseSessionId":"%s","joinUrl":"%s","verified":%s}\n' \
    "$conversation" "$session" "$join_url" "$verified"
