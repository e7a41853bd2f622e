# completion.bash: bash completion for align. Nothing is listed here twice: commands, options and the words an option
# takes come from --help, which is printed from the table that parses them.
#
# Install as /usr/share/bash-completion/completions/align, or source it.

# The words of an option, "--padding max_length|longest|do_not_pad": the part after the name, one word a line.
_align_choices() {
    "$1" "$2" --help 2>/dev/null | sed -n "s/^  $3 \([a-z0-9_]*|[a-z0-9_|]*\).*/\1/p" | tr '|' '\n'
}

_align() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]} choices
    COMPREPLY=()
    if ((COMP_CWORD == 1)) || { ((COMP_CWORD == 2)) && [[ $command == help ]]; }; then
        local commands
        commands=$("$program" --help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
        return
    fi
    if [[ $word == -* ]]; then
        local options
        options=$("$program" "$command" --help 2>/dev/null | grep -o '^  --[a-z-]*')
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        return
    fi
    case $before in
    --model | --output | --config | --folder)
        [[ $before != --output || $command == convert || $command == train ]] && mapfile -t COMPREPLY < <(compgen -d -- "$word")
        [[ ${#COMPREPLY[@]} -gt 0 ]] && return
        ;;
    --*)
        choices=$(_align_choices "$program" "$command" "$before")
        if [[ -n $choices ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
            return
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
}

complete -o filenames -F _align align
