#!/bin/sh
# Fills a running Conduit with believable data, through its public API only, and says what to look at.
#
# usage: fill.sh [BASE]      BASE is http://127.0.0.1:4000/api unless given
#
# It can be run again: who is there already logs in, what is published already is left alone. It ends with 1 at the first
# answer that is not as it must be, and shows it.
set -eu

BASE=${1:-http://127.0.0.1:4000/api}
# As in the README's first steps, whose ada then takes part.
PASSWORD='correct horse'
ANSWER=$(mktemp)
trap 'rm -f "$ANSWER"' EXIT

command -v curl >/dev/null || { echo "install curl first (Debian: apt-get install curl)" >&2; exit 1; }

# call TOKEN METHOD PATH [BODY]: the answer is in $ANSWER, its status is printed.
call() {
    set -- "$1" "$2" "$3" "${4:-}"
    curl --silent --show-error --output "$ANSWER" --write-out '%{http_code}' --request "$2" "$BASE$3" \
        ${1:+--header "authorization: Token $1"} ${4:+--header 'content-type: application/json' --data-binary "$4"}
}

# must STATUS TOKEN METHOD PATH [BODY]: as call, and ends everything when the status is another one.
must() {
    wanted=$1; shift
    got=$(call "$@") || { echo "nobody answers at $BASE; start it with: make run" >&2; exit 1; }
    [ "$got" = "$wanted" ] || { echo "$2 $3 was answered with $got instead of $wanted:" >&2; cat "$ANSWER" >&2; echo >&2; exit 1; }
}

# field NAME: the first text of this name in the answer. Good enough for tokens and slugs, which hold no quotes.
field() {
    sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" "$ANSWER"
}

# user NAME BIO: prints a token, of a new user or of the one there is.
user() {
    got=$(call '' POST /users "{\"user\":{\"username\":\"$1\",\"email\":\"$1@example.org\",\"password\":\"$PASSWORD\"}}") ||
        { echo "nobody answers at $BASE; start it with: make run" >&2; exit 1; }
    [ "$got" = 201 ] ||
        must 200 '' POST /users/login "{\"user\":{\"email\":\"$1@example.org\",\"password\":\"$PASSWORD\"}}"
    token=$(field token)
    must 200 "$token" PUT /user "{\"user\":{\"bio\":\"$2\"}}"
    printf '%s' "$token"
}

# article TOKEN AUTHOR TITLE DESCRIPTION TAGS BODY: prints the slug. One of this title by this author is left as it is.
article() {
    must 200 '' GET "/articles?author=$2&limit=100"
    if ! grep -qF "\"title\":\"$3\"" "$ANSWER"; then
        must 201 "$1" POST /articles "{\"article\":{\"title\":\"$3\",\"description\":\"$4\",\"tagList\":[$5],\"body\":\"$6\"}}"
        field slug
    else
        # Each article of a list begins with its slug and goes on with its title.
        tr '{' '\n' < "$ANSWER" | grep -F "\"title\":\"$3\"" | sed 's/.*"slug":"\([^"]*\)".*/\1/' | head -n 1
    fi
}

comment() {
    must 200 '' GET "/articles/$2/comments"
    grep -qF "$3" "$ANSWER" || must 201 "$1" POST "/articles/$2/comments" "{\"comment\":{\"body\":\"$3\"}}"
}

like() { must 200 "$1" POST "/articles/$2/favorite"; }
follow() { must 200 "$1" POST "/profiles/$2/follow"; }

echo "People at $BASE ..."
ada=$(user ada 'Notes on engines that weave algebraic patterns.')
charles=$(user charles 'Builds engines. Most of them.')
mary=$(user mary_s 'Science, for whoever likes to read.')
grace=$(user grace 'Looks for moths.')

echo "Articles ..."
engines=$(article "$ada" ada 'On Analytical Engines' 'What they can do, and what they cannot' '"engines","mathematics"' \
    'The engine has no pretensions to *originate* anything.\n\nIt can do whatever we know how to order it to perform.')
notes=$(article "$ada" ada 'Note G' 'Numbers of Bernoulli, step by step' '"mathematics","programs"' \
    'Twenty-five operations, some of them in a loop.')
difference=$(article "$charles" charles 'A Difference Engine' 'Tables without errors' '"engines"' \
    'I wish these calculations had been executed by steam.')
sciences=$(article "$mary" mary_s 'How the Sciences Connect' 'A walk across the borders' '"science","mathematics"' \
    'The progress of modern science is remarkable for a tendency to *simplify*.')
compilers=$(article "$grace" grace 'Why Not Write It in Words?' 'Programs that write programs' '"programs"' \
    'Nobody believed it. It ran.')
moth=$(article "$grace" grace 'The First Bug' 'With a picture' '"programs","insects"' 'Relay 70, panel F. Taped into the log.')

echo "Who follows whom, who likes what, what they say ..."
for name in charles mary_s grace; do follow "$ada" "$name"; done
for token in "$charles" "$mary" "$grace"; do follow "$token" ada; done
for token in "$ada" "$charles" "$mary" "$grace"; do like "$token" "$engines"; done
like "$ada" "$difference"; like "$grace" "$notes"; like "$mary" "$notes"; like "$ada" "$sciences"; like "$ada" "$moth"
like "$charles" "$compilers"
comment "$charles" "$engines" 'Your notes are better than the engine.'
comment "$ada" "$engines" 'Then build it.'
comment "$grace" "$notes" 'Line 4: is the fraction not upside down?'
comment "$mary" "$moth" 'Not the first, but the best documented.'

cat <<END

Done. What to look at (everybody's password is '$PASSWORD'):

  the newest articles     curl $BASE/articles
  by tag, by author       curl '$BASE/articles?tag=mathematics'  curl '$BASE/articles?author=grace'
  what ada likes          curl '$BASE/articles?favorited=ada'
  what people say         curl $BASE/articles/$engines/comments
  all tags                curl $BASE/tags
  ada's feed              TOKEN=\$(curl -s $BASE/users/login -H 'content-type: application/json' \\
                            -d '{"user":{"email":"ada@example.org","password":"$PASSWORD"}}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
                          curl $BASE/articles/feed -H "authorization: Token \$TOKEN"
  everything that happened, in order
                          cargo run -q -p umbel -- events tail --last 20
END
