/** How a render differs from Cloudinary's: the `X-Pixseal-Approximate` header. */
export class Approximations {
  private readonly notes = new Set<string>();

  /** @param note Short, printable ASCII, without `;`: `g_face: attention instead of a face`. */
  add(note: string): void {
    this.notes.add(note.replace(/[^\x20-\x7e]|;/g, '?').slice(0, 120));
  }

  /** The header's value, or undefined if everything is exact. */
  get header(): string | undefined {
    return this.notes.size === 0 ? undefined : [...this.notes].join('; ');
  }
}
