/** The line of a member of the outermost object, from 1; null if there is none. */
export function lineOfMember(json: string, member: string): number | null {
  let depth = 0;
  // Strings, so that their content is skipped, and brackets.
  for (const { 0: token, index } of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/gs)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (
      depth === 1 &&
      token === JSON.stringify(member) &&
      /^\s*:/.test(json.slice(index + token.length))
    )
      return lineAt(json, index);
  }
  return null;
}

/** The line of a character, from 1. */
export const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length;
