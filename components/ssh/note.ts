/**
 * Shell text: `note FILE TEXT` writes a file as a whole or not at all. After a loss of power one that was only
 * written may be empty, and one that was only renamed may not be there.
 */
export const NOTE = `
note() {
  printf %s "$2" >"$1.new"
  sync "$1.new"
  mv -f "$1.new" "$1"
  sync "\${1%/*}"
}
`;
